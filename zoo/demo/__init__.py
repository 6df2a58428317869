"""`zoo demo`: a page in the browser on which people try models, a tab for each.

`tabs` makes a tab of plain functions from what a recipe declares; `page` writes their answers as
HTML; `app` shows both with Gradio, the extra `[demo]`, which nothing else here needs.
"""
