"""`zoo demo`: a web page to try models, with one tab per model.

`tabs` creates a tab of plain functions from the declarations of a recipe; `page` renders answers as
HTML; `app` shows both with Gradio, the extra `[demo]`, which only `app` requires.
"""
