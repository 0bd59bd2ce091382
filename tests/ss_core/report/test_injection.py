"""Whatever stands in a run, the page takes it as text: no script, no request, no dialog."""

from pathlib import Path

import pytest

from ss_core.report.page import html_page
from tests.support.browser import chromium, visit
from tests.support.fault_counts import counted
from tests.support.pages import page_saying

PAYLOADS = [
    "<script>document.title='owned'</script>",
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\"><svg onload=document.title='owned'>",
    "' onmouseover='alert(1)",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<!--<script>",
    "]]><script>alert(1)</script>",
    '<a href="javascript:alert(1)">click</a>',
    "{{7*7}}{% raw %}${7*7}",
    '<iframe src="https://example.org"></iframe>',
    "<link rel=stylesheet href=https://example.org/x.css>",
    "\u202egnp.exe\u2028\u2029\x00",
    "<b>" * 20_000,
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]


@pytest.mark.slow
def test_payloads_stay_text(tmp_path: Path) -> None:
    assert len(PAYLOADS) >= 15
    with chromium() as browser:
        for number, payload in enumerate(PAYLOADS):
            path = tmp_path / f"{number}.html"
            path.write_bytes(html_page(page_saying(payload)))
            with visit(browser, path) as seen:
                seen.draw_all()
                seen.page.wait_for_timeout(50)
                assert seen.page.title() != "owned", payload[:80]
                assert (seen.dialogs, seen.requests, seen.console) == ([], [], []), payload[:80]
                forbidden = "iframe, script[src], link[href], object, embed, form, main a[href]"
                assert seen.count(forbidden) == 0, payload[:80]
                assert seen.page.locator("h1").inner_html().count("<") == 0, payload[:80]
    counted("F18", len(PAYLOADS))
