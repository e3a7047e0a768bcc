"""The page of a report in Chromium: sorting, filtering, linking, keys, and no request."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from playwright.sync_api import Page as Tab

from sweeps.monitoring.loopback import LivePage, LoopbackServer

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
]


@pytest.fixture(name="report", scope="module")
def _report(table, report_page):
    trials = table(
        *(
            {"sparsity": sparsity, "lr": lr, "val_loss": 3.0 + lr + sparsity, "cvar_05": -3 - lr}
            for sparsity in (0.5, 0.9, 0.95)
            for lr in (0.001, 0.01, 0.1)
        ),
        {"sparsity": 0.5, "lr": 0.2, "status": "stopped", "val_loss": 9.0},
        *({"sparsity": 0.98, "lr": 1.0 + i / 1000, "val_loss": 10.0 + i} for i in range(140)),
    )
    return report_page(trials).as_uri()


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(name="tab")
def _tab(browser, report) -> Iterator[Tab]:
    """The page in a tab, which may load nothing else and log no error."""
    faults: list[str] = []
    tab = browser.new_page()
    tab.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("request", lambda r: faults.append(r.url) if r.url != report else None)
    tab.goto(report)
    yield tab
    tab.close()
    assert faults == []


def ids(tab: Tab) -> list[str]:
    return tab.locator("#trial-table tbody tr td:first-child").all_text_contents()


def heading(tab: Tab, name: str):
    return tab.locator("#trial-table thead th").filter(has=tab.get_by_text(name, exact=True))


def test_a_click_on_a_heading_sorts_and_another_reverses(tab):
    assert ids(tab)[0] == "t0000"
    heading(tab, "cvar_05").get_by_role("button").click()
    expect(heading(tab, "cvar_05")).to_have_attribute("aria-sort", "ascending")
    assert ids(tab)[:3] == ["t0002", "t0005", "t0008"]
    heading(tab, "cvar_05").get_by_role("button").click()
    expect(heading(tab, "cvar_05")).to_have_attribute("aria-sort", "descending")
    assert "t0009" not in ids(tab), "a trial without a value comes last, in either direction"


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("sparsity>=0.9", 146),
        ("lr = 0.01", 3),
        ("cvar_05=none", 1),
        ("status!=completed", 1),
        ("lr<0.001", 0),
    ],
)
def test_a_condition_filters_as_on_the_command_line(tab, condition, count):
    tab.locator("#condition").fill(condition)
    assert len(ids(tab)) == min(count, 100)
    text = tab.locator("#count").text_content()
    assert (f"of {count} trials" in text) if count else text == "no trial"


def test_what_is_no_condition_is_marked_and_filters_nothing(tab):
    tab.locator("#condition").fill("nonsense>3")
    expect(tab.locator("#condition")).to_have_attribute("aria-invalid", "true")
    assert len(ids(tab)) == 100


def test_a_search_finds_text_in_any_column(tab):
    tab.locator("#search").fill("stopped")
    assert ids(tab) == ["t0009"]


def test_pages_lead_to_every_trial(tab):
    first = ids(tab)
    expect(tab.locator("#previous")).to_be_disabled()
    tab.locator("#next").click()
    assert len(ids(tab)) == 50
    assert not set(first) & set(ids(tab))
    expect(tab.locator("#next")).to_be_disabled()


def test_a_selected_row_is_marked_in_every_drawing(tab):
    tab.locator("#trial-table tbody tr").first.click()
    marks = tab.locator(".drawing .trial.selected")
    drawings = tab.locator(".drawing:has(.trial)").count()
    assert set(marks.evaluate_all("all => all.map(m => m.dataset.trial)")) == {"t0000"}
    assert marks.count() == drawings >= 3
    tab.locator("#clear").click()
    expect(marks).to_have_count(0)


def test_the_keyboard_selects_a_row(tab):
    row = tab.locator("#trial-table tbody tr").nth(1)
    row.focus()
    row.press("Enter")
    expect(row).to_have_attribute("aria-selected", "true")


def test_a_mark_in_a_drawing_leads_to_its_row(tab):
    tab.locator(".drawing circle.trial[data-trial='t0148']").first.dispatch_event("click")
    row = tab.locator("#trial-table tbody tr[data-trial='t0148']")
    expect(row).to_have_attribute("aria-selected", "true")


def test_a_recommended_network_leads_to_its_row(tab):
    link = tab.locator(".trial-link").first
    link.click()
    row = tab.locator(f"#trial-table tbody tr[data-trial='{link.text_content()}']")
    expect(row).to_have_attribute("aria-selected", "true")
    expect(row).to_be_in_viewport()


def test_sections_of_the_record_open_and_are_printed_open(tab):
    table = tab.locator("#r6 table").first
    expect(table).not_to_be_visible()
    tab.locator("#r6 summary").click()
    expect(table).to_be_visible()
    tab.locator("#r6 summary").press("Enter")
    expect(table).not_to_be_visible()
    tab.emulate_media(media="print")
    expect(table).to_be_visible()


def live_trials(table, number):
    return table(
        *({"sparsity": 0.5 + i / 1000, "lr": 0.001, "val_loss": 3.0 + i} for i in range(number)),
        *({"sparsity": 0.9, "lr": 0.1, "status": "running"} for _ in range(2)),
    )


@pytest.fixture(name="live")
def _live(table, report_page, browser) -> Iterator[tuple[Tab, LivePage]]:
    """A page of a running sweep in a tab, which may connect to its server alone."""
    faults: list[str] = []
    page = LivePage()
    page.say("Running: 15 of 40 trials have ended")
    page.show(report_page(live_trials(table, 15), state="Running: 15").read_bytes())
    with LoopbackServer(page, 0) as server:
        tab = browser.new_page()
        tab.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("request", lambda r: None if r.url.startswith(server.url) else faults.append(r.url))
        with tab.expect_request("**/events"):
            tab.goto(server.url)
        yield tab, page
        tab.close()
    assert [fault for fault in faults if "favicon" not in fault] == []


def test_a_live_page_grows_and_keeps_what_the_reader_has_set(live, table, report_page):
    tab, page = live
    expect(tab.locator("#state")).to_have_text("Running: 15 of 40 trials have ended")
    heading(tab, "sparsity").get_by_role("button").click()
    heading(tab, "sparsity").get_by_role("button").click()
    tab.locator("#search").fill("completed")
    tab.locator("#trial-table tbody tr").first.click()
    tab.locator("#search").focus()
    assert ids(tab)[0] == "t0014"
    page.say("Running: 16 of 40 trials have ended")
    expect(tab.locator("#state")).to_have_text("Running: 16 of 40 trials have ended")
    page.show(report_page(live_trials(table, 16), state="Running: 16").read_bytes())
    expect(tab.locator("#count")).to_contain_text("of 16 trials")
    assert ids(tab)[0] == "t0015"
    expect(heading(tab, "sparsity")).to_have_attribute("aria-sort", "descending")
    expect(tab.locator("#search")).to_have_value("completed")
    expect(tab.locator("#search")).to_be_focused()
    chosen = tab.locator("#trial-table tbody tr[aria-selected='true']")
    expect(chosen).to_have_attribute("data-trial", "t0014")
    assert tab.locator(".drawing .trial.selected").count() > 0


def test_a_live_page_ends_as_the_report(live, table, report_page):
    tab, page = live
    tab.evaluate("window.scrollTo({top: 900, behavior: 'instant'})")
    page.show(report_page(live_trials(table, 17)).read_bytes(), ended=True)
    expect(tab.locator("#count")).to_contain_text("of 19 trials")
    expect(tab.locator("#state")).to_have_count(0)
    assert tab.evaluate("window.scrollY") > 300
    tab.reload()
    expect(tab.locator("#count")).to_contain_text("of 19 trials")


def test_a_front_leads_to_the_row_of_its_trial(live):
    tab, _ = live
    tab.locator(".drawing circle.trial[data-trial='t0003']").first.dispatch_event("click")
    row = tab.locator("#trial-table tbody tr[data-trial='t0003']")
    expect(row).to_have_attribute("aria-selected", "true")


def test_no_section_is_wider_than_a_telephone(browser, report):
    tab = browser.new_page(viewport={"width": 400, "height": 800})
    tab.goto(report)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400
    tab.close()


def test_no_table_is_wider_than_a_printed_page(browser, report):
    tab = browser.new_page(viewport={"width": 720, "height": 1000})
    tab.emulate_media(media="print")
    tab.goto(report)
    assert tab.evaluate("document.documentElement.scrollWidth") == 720
    tab.close()
