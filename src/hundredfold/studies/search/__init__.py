"""A search: trials of one recipe with other options, then an honest comparison of the winner.

space, space_file   which options vary, and within which bounds
journal             the trials, in Optuna's journal file: drawn by TPE, halved on their curves
record              search.json: what was asked, time and energy so far, the result
times               how much of a budget the comparison needs, and when the search must end
trials              a trial as a job; what becomes of its run
runner              the search itself
ending              the comparison with fresh seeds, and what it says
"""
