// Filters over what stands in the page already: elements are shown and hidden, and no text is ever made into markup.
"use strict";
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const cases = Array.from(document.querySelectorAll("details.case"), (element) => ({
    element,
    facets: new Map(Object.entries(JSON.parse(element.dataset.facets))),
    text: null,
  }));
  const shown = () => cases.filter(({ element }) => !element.hidden);

  // --- what is wanted ---

  const fields = () => Array.from(new FormData(form)).filter(([, value]) => value !== "");
  const says = (one, words) => {
    one.text ??= one.element.textContent.toLowerCase();
    return words.every((word) => one.text.includes(word));
  };
  const matches = (one, wanted) =>
    wanted.every(([name, value]) =>
      name === "q"
        ? says(one, value.toLowerCase().split(/\s+/).filter(Boolean))
        : (one.facets.get(name) ?? []).includes(value),
    );
  const apply = () => {
    const wanted = fields();
    for (const one of cases) one.element.hidden = !matches(one, wanted);
    const count = shown().length;
    document.getElementById("count").textContent = `${count} of ${cases.length} shown`;
    document.getElementById("none").hidden = count > 0;
  };

  // --- the address keeps it, so that a view can be sent to somebody ---

  const write = () => {
    const query = new URLSearchParams(fields()).toString();
    history.replaceState(null, "", query ? `#${query}` : "#");
  };
  const read = () => {
    const place = document.getElementById(location.hash.slice(1));
    form.reset();
    if (place && place.matches("details.case")) {
      apply();
      place.open = true;
      place.scrollIntoView();
      return;
    }
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const field of form.elements) {
      const value = wanted.get(field.name);
      if (!field.name || value === null) continue;
      if (field.type === "radio") field.checked = field.value === value;
      else field.value = value;
    }
    for (const select of form.querySelectorAll("select")) if (select.selectedIndex < 0) select.selectedIndex = 0;
    if (!form.querySelector("input[type=radio]:checked")) form.querySelector("input[type=radio]").checked = true;
    apply();
  };

  // --- folds and keys ---

  const fold = (open) => shown().forEach(({ element }) => { element.open = open; });
  const step = (by) => {
    const titles = shown().map(({ element }) => element.firstElementChild);
    const next = titles[titles.indexOf(document.activeElement) + by] ?? titles[by > 0 ? 0 : titles.length - 1];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  const keys = new Map([
    ["/", () => form.elements.q.focus()],
    ["j", () => step(1)],
    ["k", () => step(-1)],
  ]);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !keys.has(event.key)) return;
    event.preventDefault();
    keys.get(event.key)();
  });
  document.getElementById("open").addEventListener("click", () => fold(true));
  document.getElementById("close").addEventListener("click", () => fold(false));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { apply(); write(); });
  window.addEventListener("hashchange", read);

  // --- paper has no folds ---

  const closed = new Set();
  window.addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details:not([open])")) {
      closed.add(fold);
      fold.open = true;
    }
  });
  window.addEventListener("afterprint", () => {
    for (const fold of closed) fold.open = false;
    closed.clear();
  });

  form.hidden = false;
  read();
})();
