"""Names and settings of the large classifier, shared by teachers and students. Imports nothing.

They are those of the recipe. It starts from the language model and has the same sizes.
"""

NAME = "imdb-bilstm-large"  # of the recipe, and of the student's files
SENTENCES = "imdb-bilstm-sst2"  # of what it becomes with the sentences of SST-2
SIZES = {"units": 1_024, "embedding": 256}  # also those of the language model
MAX_WORDS = 400  # of a review that are read: its first quarter and last three
WORD_DROPOUT = 0.25
