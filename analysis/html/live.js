"use strict";
// The page of a running sweep: its state, and its content anew without loss of the reader's state.
(() => {
  const source = new EventSource("/events");
  let version = null;
  let queue = Promise.resolve();

  const byId = (id) => document.getElementById(id);
  const instantly = (dx, dy) => window.scrollBy({ left: dx, top: dy, behavior: "instant" });

  // Content above may grow, so what the reader sees keeps its place by the first part in view.
  const anchor = () => {
    const parts = [...document.querySelectorAll("main [id]")];
    const part = parts.find((one) => one.getBoundingClientRect().bottom > 0);
    return window.scrollY > 0 && part ? { id: part.id, top: part.getBoundingClientRect().top } : null;
  };

  const focused = () => {
    const one = document.activeElement;
    if (!one || one === document.body) return () => {};
    const { id } = one;
    const trial = one.closest("tr[data-trial]")?.dataset.trial;
    const region = one.getAttribute("aria-label");
    const caret = one.matches("input") ? [one.selectionStart, one.selectionEnd] : null;
    const column = one.closest("#trial-table th")?.cellIndex;
    return () => {
      const again = (id && byId(id))
        || (trial !== undefined && document.querySelector(`tr[data-trial="${CSS.escape(trial)}"]`))
        || (column !== undefined && document.querySelectorAll("#trial-table th button")[column])
        || (region && document.querySelector(`[aria-label="${CSS.escape(region)}"]`));
      if (!again) return;
      again.focus({ preventScroll: true });
      if (caret) again.setSelectionRange(...caret);
    };
  };

  const key = (one) => `${one.tagName} ${one.id} ${one.getAttribute("aria-label") ?? one.querySelector("summary")?.textContent}`;
  const remembered = (selector, read, write) => {
    const values = new Map([...document.querySelectorAll(selector)].map((one) => [key(one), read(one)]));
    return () => {
      for (const one of document.querySelectorAll(selector)) {
        if (values.has(key(one))) write(one, values.get(key(one)));
      }
    };
  };

  const refresh = async () => {
    const answer = await fetch("/", { cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const place = anchor();
    const restored = [
      remembered("details", (one) => one.open, (one, open) => { one.open = open; }),
      remembered(".scroll", (one) => [one.scrollLeft, one.scrollTop], (one, [x, y]) => one.scrollTo({ left: x, top: y, behavior: "instant" })),
      focused(),
    ];
    for (const name of ["header", "main"]) {
      document.querySelector(name).replaceWith(document.adoptNode(fresh.querySelector(name)));
    }
    document.title = fresh.title;
    const data = fresh.getElementById("data");
    if (data && byId("data")) byId("data").textContent = data.textContent;
    if (data && !byId("data")) {
      location.reload(); // from the notice to the report, which has another script
      return;
    }
    document.dispatchEvent(new Event("content"));
    for (const restore of restored) restore();
    if (place && byId(place.id)) instantly(0, byId(place.id).getBoundingClientRect().top - place.top);
  };

  const inOrder = (work) => { queue = queue.then(work).catch(() => {}); };

  source.addEventListener("state", (event) => {
    const line = byId("state");
    if (line) line.textContent = JSON.parse(event.data);
  });
  source.addEventListener("page", (event) => {
    const seen = version;
    version = event.data;
    if (seen !== null && seen !== version) inOrder(refresh);
  });
  source.addEventListener("end", () => {
    source.close();
    inOrder(refresh);
  });
})();
