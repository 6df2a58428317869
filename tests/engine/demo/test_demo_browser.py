"""The page of `zoo demo` in headless Chromium: offline, on a desktop and on a phone."""

import shutil
import threading
import time

import pytest

pytestmark = [
    pytest.mark.slow,
    # Gradio leaves an event loop of its own open.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    # It sets an option of pandas that is deprecated.
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),
]
pytest.importorskip("gradio", reason="the extra [demo] is not installed")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright, which drives a browser, is not installed"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("there is no Chromium", allow_module_level=True)

MODELS = ("imdb-lstm", "conll-bilstm", "shakespeare-gru", "digits-mlp", "digits-ctc", "stocks-gru")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a page that a thread serves."""
    import uvicorn

    from zoo import listening
    from zoo.demo import app
    from zoo.demo.tabs import tabs_of

    folder = tmp_path_factory.mktemp("demo")
    bound = listening.bind(app.HOST, 0, "--port")
    made = app.make_server(tabs_of(MODELS, folder), folder)
    server = uvicorn.Server(uvicorn.Config(made, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    yield f"http://{app.HOST}:{bound.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    bound.close()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        arguments = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=[*arguments, "--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """The page; whatever it fetches from elsewhere fails the test."""
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    fetched, problems = [], []
    page.on("request", lambda request: fetched.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.goto(address)
    page.get_by_role("tab").first.wait_for(timeout=60_000)
    yield page
    page.close()
    assert fetched
    assert all(url.startswith((address, "data:", "blob:")) for url in fetched)
    assert not problems


def tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()
    return page.locator("div[role=tabpanel]:visible")


def press(panel, name="Answer"):
    panel.get_by_role("button", name=name, exact=True).click()
    return panel.locator(".zoo-answer.prose")


def see(answer, text, **options):
    answer.get_by_text(text, **options).first.wait_for(timeout=120_000)


def test_texts_are_answered(page):
    answer = press(tab(page, "Film reviews"))
    see(answer, "positive", exact=True)
    see(answer, "blue is for it")
    panel = tab(page, "Names")
    panel.get_by_role("textbox").fill("<b>Bill Gates</b> lives in London.")
    answer = press(panel)
    answer.locator("mark", has_text="London").wait_for(timeout=120_000)
    assert not answer.locator("b").count()


def test_bad_input_is_one_friendly_line(page, tmp_path):
    panel = tab(page, "Film reviews")
    panel.get_by_role("textbox").fill("  ")
    see(press(panel), "Write a text.")
    panel = tab(page, "Prices")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("name,colour\nana,red\n")
    panel.locator("input[type=file]").first.set_input_files(wrong)
    panel.get_by_text("wrong").first.wait_for()
    answer = press(panel)
    answer.get_by_role("alert").wait_for(timeout=60_000)
    said = answer.inner_text()
    assert "wrong.csv" in said
    assert "Traceback" not in said
    assert str(tmp_path) not in said
    see(press(tab(page, "Drawn digit")), "ink")


def test_a_text_comes_as_it_is_written(page):
    answer = press(tab(page, "Text"), "Generate")
    see(answer, "ROMEO:")
    lengths, end = set(), time.monotonic() + 60
    while max(lengths, default=0) < 250 and time.monotonic() < end:
        lengths.add(len(answer.inner_text()))
    assert len(lengths) > 2
    assert max(lengths) >= 250


def test_a_file_a_drawing_and_the_microphone(page):
    panel = tab(page, "Prices")
    panel.get_by_text("prices.csv").first.click()
    answer = press(panel)
    answer.locator("img[alt=fan]").wait_for(timeout=60_000)
    panel = tab(page, "Drawn digit")
    box = panel.locator("canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"]
    page.mouse.move(x, y + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(x, y + 0.8 * box["height"], steps=10)
    page.mouse.up()
    best = press(panel).locator(".zoo-bar").first
    best.wait_for(timeout=60_000)
    assert best.inner_text().split()[0] == "1"
    panel = tab(page, "Spoken digits")
    panel.get_by_text("314_jackson.wav").first.click()
    see(press(panel), "3 1 4")
    page.reload()
    panel = tab(page, "Spoken digits")
    panel.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(1500)
    panel.get_by_role("button", name="Stop").first.click()
    page.wait_for_timeout(500)
    answer = press(panel)
    answer.locator(".zoo-text, .zoo-problem").first.wait_for(timeout=60_000)
    assert "should not happen" not in answer.inner_text()


def test_a_phone_needs_no_sideways_scrolling(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page.goto(address)
    page.get_by_role("tab").first.wait_for(timeout=60_000)
    see(press(tab(page, "Film reviews")), "blue is for it")
    assert page.evaluate("document.documentElement.scrollWidth") <= 391
    page.close()
