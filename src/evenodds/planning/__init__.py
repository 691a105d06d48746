"""From data, a machine and a time to a configuration: what to train, and why.

machine      what the computer has
candidates   the table of what may be trained, what each needs, and how a configuration is made of it
measuring    images a second, and what reports and pictures cost
choice       the rule: a pure function of advice, machine, rates and time
expectations what was seen after how many images
making       all of it together
"""
