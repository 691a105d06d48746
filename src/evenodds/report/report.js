"use strict";
// Curves, sample pictures and one position (in training examples) that both follow.
(() => {
  const { charts, frames } = JSON.parse(document.getElementById("data").textContent);
  const margin = { left: 54, top: 10, bottom: 26 };
  const farthest = Math.max(1, ...charts.flatMap((chart) => chart.series.map((one) => one.x.at(-1))),
    ...frames.map((frame) => frame.examples));
  const views = [];
  const image = document.getElementById("frame");
  const slider = document.getElementById("scrubber");
  const play = document.getElementById("play");
  let position = farthest;
  let timer = null;

  const count = (value) => Math.round(value).toLocaleString("en-US");
  const short = (value) => {
    const power = value === 0 ? 0 : Math.min(4, Math.max(0, Math.floor(Math.log10(Math.abs(value)) / 3 + 1e-9)));
    return Number((value / 1000 ** power).toPrecision(4)) + ["", "k", "M", "G", "T"][power];
  };
  const figures = (value) => Number(value.toPrecision(4)).toString().replace("-", "−");

  function ticks(low, high, about) {
    const raw = (high - low) / about;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw * 0.999);
    const found = [];
    for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1) {
      found.push(index * step);
    }
    return found;
  }

  function nearest(sorted, value) {
    let low = 0;
    let high = sorted.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (sorted[middle] <= value) low = middle; else high = middle;
    }
    return Math.abs(sorted[high] - value) < Math.abs(sorted[low] - value) ? high : low;
  }

  function draw(view) {
    const { svg, chart } = view;
    const width = svg.clientWidth;
    const height = svg.clientHeight;
    if (!width) return;
    const right = chart.right ? 54 : 14;
    const [low, high] = chart.limits;
    const x = (value) => margin.left + (value / farthest) * (width - margin.left - right);
    const y = (value) => height - margin.bottom - ((value - low) / (high - low)) * (height - margin.bottom - margin.top);
    const inside = (value) => Math.min(high, Math.max(low, value));
    const add = (kind, attributes, text, parent = svg) => {
      const node = document.createElementNS(svg.namespaceURI, kind);
      for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
      if (text !== undefined) node.textContent = text;
      parent.append(node);
      return node;
    };
    const path = (xs, ys) => xs.map((at, index) => `${index ? "L" : "M"}${x(at).toFixed(1)} ${y(inside(ys[index])).toFixed(1)}`).join("");
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const end = width - right;
    for (const region of chart.regions) {
      const group = add("g", { class: region.role });
      add("rect", { class: "region", x: margin.left, width: end - margin.left, y: y(region.high), height: y(region.low) - y(region.high) }, undefined, group);
    }
    for (const value of ticks(low, high, 5)) {
      add("line", { class: "grid", x1: margin.left, x2: end, y1: y(value), y2: y(value) });
      add("text", { x: margin.left - 6, y: y(value) + 4, "text-anchor": "end" }, figures(value));
    }
    for (const value of ticks(0, farthest, Math.max(2, Math.floor(width / 110)))) {
      add("line", { class: "axis", x1: x(value), x2: x(value), y1: height - margin.bottom, y2: height - margin.bottom + 4 });
      add("text", { x: x(value), y: height - 8, "text-anchor": "middle" }, short(value));
    }
    if (chart.right) {
      const [factor, offset] = chart.right;
      for (const value of ticks(factor * low + offset, factor * high + offset, 5)) {
        add("text", { x: end + 6, y: y((value - offset) / factor) + 4 }, figures(value));
      }
    }
    add("path", { class: "axis", fill: "none", d: `M${margin.left} ${margin.top}V${height - margin.bottom}H${end}${chart.right ? `V${margin.top}` : ""}` });
    for (const one of chart.series) {
      const group = add("g", { class: one.role });
      if (one.window > 1) {
        const back = [...one.x.keys()].reverse();
        if (one.low) add("path", { class: "spread", d: `${path(one.x, one.high)}L${path(back.map((i) => one.x[i]), back.map((i) => one.low[i])).slice(1)}Z` }, undefined, group);
        add("path", { class: "raw", d: path(one.x, one.y) }, undefined, group);
      }
      if (one.interval) {
        const [lows, highs] = one.interval;
        const back = [...one.x.keys()].reverse();
        add("path", { class: "spread", d: `${path(one.x, highs)}L${path(back.map((i) => one.x[i]), back.map((i) => lows[i])).slice(1)}Z` }, undefined, group);
      }
      for (const [index, size] of (one.error ?? []).entries()) {
        const at = x(one.x[index]);
        add("path", { class: "error", d: `M${at} ${y(inside(one.y[index] - size))}V${y(inside(one.y[index] + size))}` }, undefined, group);
      }
      add("path", { class: one.thin ? "curve thin" : "curve", d: path(one.x, one.smooth) }, undefined, group);
      if (one.x.length < 40) {
        one.x.forEach((at, index) => add("circle", { class: "dot", r: 3.5, cx: x(at), cy: y(inside(one.y[index])) }, undefined, group));
      }
    }
    for (const region of chart.regions) {
      const group = add("g", { class: region.role });
      add("text", { class: "region-text halo", x: margin.left + 6, y: y(region.high) + 15 }, region.text, group);
    }
    for (const level of chart.levels) {
      add("line", { class: "level", x1: margin.left, x2: end, y1: y(level.y), y2: y(level.y) });
      add("text", { class: "halo", x: end - 4, y: level.below || y(level.y) < margin.top + 16 ? y(level.y) + 14 : y(level.y) - 4, "text-anchor": "end" }, level.text);
    }
    for (const [examples, number, kind, trouble] of chart.marks) {
      const group = add("g", { class: trouble ? "trouble" : "even" });
      add("line", { class: "mark", x1: x(examples), x2: x(examples), y1: margin.top, y2: height - margin.bottom }, undefined, group);
      const label = add("text", { class: "mark-text halo", x: x(examples), y: height - margin.bottom - 5, "text-anchor": "middle" }, String(number), group);
      add("title", {}, `event ${number}: ${kind}`, label);
    }
    view.cursor = add("line", { class: "cursor", y1: margin.top, y2: height - margin.bottom });
    view.dots = chart.series.map((one) => add("circle", { class: "dot", r: 4.5 }, undefined, add("g", { class: one.role })));
    view.toExamples = (pixel) => ((pixel - margin.left) / (width - margin.left - right)) * farthest;
    view.place = () => {
      view.cursor.setAttribute("x1", x(position));
      view.cursor.setAttribute("x2", x(position));
      chart.series.forEach((one, index) => {
        const at = nearest(one.x, position);
        view.dots[index].setAttribute("cx", x(one.x[at]));
        view.dots[index].setAttribute("cy", y(inside(one.smooth[at])));
        const between = one.interval ? ` [${figures(one.interval[0][at])}, ${figures(one.interval[1][at])}]` : "";
        const error = one.error ? ` ± ${figures(one.error[at])}` : between;
        const record = one.window > 1 ? ` (here ${figures(one.y[at])})` : "";
        // An evaluation, or the end of a curve, may be far from the cursor: then say where the value is from.
        const away = Math.abs(one.x[at] - position) > farthest / 100 ? ` (at ${count(one.x[at])})` : "";
        view.values[index].textContent = `${figures(one.smooth[at])}${error}${record}${away}`;
      });
      view.at.textContent = `at ${count(position)} examples`;
    };
    view.place();
  }

  function show(index) {
    const frame = frames[index];
    image.src = frame.src;
    image.alt = `Samples of the generator after ${count(frame.examples)} training examples`;
    slider.value = index;
    slider.setAttribute("aria-valuetext", `${count(frame.examples)} examples`);
    document.getElementById("frame-at").textContent = `${count(frame.examples)} examples`;
  }

  function moveTo(examples, frame) {
    position = Math.min(farthest, Math.max(0, examples));
    if (frames.length) show(frame ?? nearest(frames.map((one) => one.examples), position));
    for (const view of views) view.place?.();
  }

  const toFrame = (index) => {
    const chosen = Math.min(frames.length - 1, Math.max(0, index));
    moveTo(frames[chosen].examples, chosen);
  };

  function stop() {
    clearInterval(timer);
    timer = null;
    if (play) play.textContent = "Play";
  }

  function start() {
    if (Number(slider.value) >= frames.length - 1) toFrame(0);
    play.textContent = "Pause";
    timer = setInterval(() => {
      if (Number(slider.value) >= frames.length - 1) stop(); else toFrame(Number(slider.value) + 1);
    }, 120);
  }

  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    const svg = figure.querySelector("svg");
    const view = {
      svg, chart: charts[Number(figure.dataset.chart)], at: figure.querySelector(".at"),
      values: [...figure.querySelectorAll("li span")],
    };
    views.push(view);
    svg.addEventListener("pointermove", (event) => {
      stop();
      moveTo(view.toExamples(event.clientX - svg.getBoundingClientRect().left));
    });
    svg.addEventListener("pointerdown", (event) => moveTo(view.toExamples(event.clientX - svg.getBoundingClientRect().left)));
    new ResizeObserver(() => draw(view)).observe(svg);
  }

  if (frames.length > 1) {
    slider.addEventListener("input", () => { stop(); toFrame(Number(slider.value)); });
    play.addEventListener("click", () => { if (timer) stop(); else start(); });
  }
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    // The slider moves itself; a table that scrolls sideways and the browser's own shortcuts keep their keys.
    if (!step || event.target === slider || event.altKey || event.ctrlKey || event.metaKey || event.target.closest?.(".scroll")) return;
    event.preventDefault();
    stop();
    if (frames.length > 1) toFrame(Number(slider.value) + step); else moveTo(position + step * farthest / 50);
  });
  moveTo(farthest);
})();
