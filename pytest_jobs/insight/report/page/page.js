"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  // So many rows are drawn at once; a button draws the next.
  const ROWS = 100;
  // So many tests are opened for printing.
  const PRINTED = 40;
  const root = document.documentElement;
  const tests = [...document.querySelectorAll("details.test")];
  const groups = [...document.querySelectorAll("details.group")];

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function shape(name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // Colours

  function remembered(value) {
    // A page that is opened from a file may have no storage.
    try {
      if (value !== undefined) localStorage.setItem("pytest-jobs-theme", value);
      return localStorage.getItem("pytest-jobs-theme");
    } catch {
      return null;
    }
  }

  function colour(theme) {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  }

  document.querySelector(".theme").hidden = false;
  for (const radio of document.querySelectorAll('input[name="theme"]')) {
    if (radio.value === remembered()) {
      radio.checked = true;
      colour(radio.value);
    }
    radio.addEventListener("change", () => {
      colour(radio.value);
      remembered(radio.value);
    });
  }

  // Rows

  const percent = (place) => `${place}%`;

  // Places and heights are in percent, so that nothing is drawn anew when the window changes.
  function vertical(place, from, to, kind) {
    return shape("line", { x1: percent(place), x2: percent(place), y1: percent(from), y2: percent(to), class: kind });
  }

  function horizontal(from, to, kind) {
    return shape("line", { x1: percent(from), x2: percent(to), y1: "50%", y2: "50%", class: kind });
  }

  function mark(place, name, attributes) {
    const svg = shape("svg", { x: percent(place), y: "50%", overflow: "visible" });
    svg.append(shape(name, attributes));
    return svg;
  }

  function track(lane, ticks) {
    const svg = shape("svg", { class: "track", role: "img", "aria-label": `${lane.call}: ${lane.outcome}` });
    for (const [place] of ticks) svg.append(vertical(place, 0, 100, "grid"));
    for (const place of lane.through ?? []) svg.append(vertical(place, 0, 100, "family"));
    for (const place of lane.children ?? []) svg.append(vertical(place, 50, 100, "family"));
    if (lane.depth) svg.append(vertical(lane.enqueued, 0, 50, "family"));
    let before = lane.enqueued;
    for (const [begin, end, tone] of lane.attempts) {
      if (begin > before) svg.append(horizontal(before, begin, "waiting"));
      if (end > begin) svg.append(horizontal(begin, end, `running ${tone}`));
      before = Math.max(end, begin);
    }
    if (lane.due !== undefined) {
      if (lane.due > before) svg.append(horizontal(before, lane.due, "waiting"));
      svg.append(mark(lane.due, "path", { d: "M-4 -5 L4 0 L-4 5 Z", class: "due" }));
    }
    svg.append(mark(lane.enqueued, "path", { d: "M0 -7 V7", class: "enqueued" }));
    for (const [begin, , tone] of lane.attempts) {
      const size = { x: -7.5, y: -7.5, width: 15, height: 15 };
      svg.append(mark(begin, "use", { href: `#sign-${tone}`, class: tone, ...size }));
    }
    return svg;
  }

  function step(told, tracebacks) {
    if (typeof told === "string") return element("li", {}, told);
    return element("li", {}, told[0], element("pre", { tabindex: "0" }, tracebacks[told[1]]));
  }

  function row(lane, ticks, tracebacks) {
    const steps = element("ol", { class: "steps" });
    steps.hidden = true;
    const button = element(
      "button",
      { type: "button", class: "job", "aria-expanded": "false" },
      element("span", { class: "call", title: lane.call }, lane.call),
      element("span", { class: "aboutjob" }, lane.about),
    );
    button.addEventListener("click", () => {
      if (!steps.childElementCount) steps.append(...lane.steps.map((told) => step(told, tracebacks)));
      steps.hidden = !steps.hidden;
      button.setAttribute("aria-expanded", String(!steps.hidden));
    });
    const outcome = element("span", { class: `outcome ${lane.tone}` }, lane.outcome);
    const made = element("li", { class: lane.depth ? "row lane child" : "row lane" });
    made.style.setProperty("--depth", lane.depth ?? 0);
    made.append(button, track(lane, ticks), outcome, steps);
    return made;
  }

  function axis(ticks, began) {
    const svg = shape("svg", { class: "track", "aria-hidden": "true" });
    ticks.forEach(([place, label], index) => {
      const attributes = { x: percent(place), y: 15 };
      // Where there is less room, every second or third label is shown, and the last one always.
      const left = ticks.length - 1 - index;
      const hides = (step) => left > 0 && index > 0 && (left === 1 || index % step !== 0);
      const classes = [hides(2) && "second", hides(3) && "third"].filter(Boolean);
      if (classes.length) attributes.class = classes.join(" ");
      if (place < 4) attributes.style = "text-anchor: start";
      if (place > 95) attributes.style = "text-anchor: end";
      svg.append(shape("text", attributes, label));
    });
    return element("div", { class: "row axis" }, element("span", {}, `virtual time, from ${began}`), svg);
  }

  function draw(test) {
    if (test.querySelector(".lanes")) return;
    const { ticks, lanes, tracebacks } = JSON.parse(test.querySelector("script").textContent);
    const list = element("ol", {});
    const more = element("button", { type: "button", class: "more" });
    let drawn = 0;
    function next() {
      const first = drawn;
      const rows = lanes.slice(drawn, drawn + ROWS).map((lane) => row(lane, ticks, tracebacks));
      list.append(...rows);
      drawn += rows.length;
      const left = lanes.length - drawn;
      more.hidden = !left;
      more.textContent = `Show ${Math.min(left, ROWS)} more of ${left.toLocaleString("en")}`;
      return first ? rows[0] : null;
    }
    more.addEventListener("click", () => next()?.querySelector("button").focus());
    next();
    const link = element("a", { class: "link", href: `#${encodeURIComponent(test.id)}` }, "Link to this test");
    test.append(element("div", { class: "lanes" }, axis(ticks, test.dataset.began), list, more, link));
  }

  document.addEventListener(
    "toggle",
    (event) => {
      if (event.target.open && event.target.matches("details.test")) draw(event.target);
    },
    true,
  );

  // Filters

  const filters = document.querySelector(".filters");
  if (filters) {
    const find = document.getElementById("find");
    const show = document.getElementById("show");
    const filter = () => {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const test of tests) {
        const text = test.dataset.find;
        const kinds = test.dataset.kinds.split(" ");
        test.hidden = !(words.every((word) => text.includes(word)) && (!show.value || kinds.includes(show.value)));
        count += !test.hidden;
      }
      const all = count === tests.length;
      for (const group of groups) {
        group.hidden = !group.querySelector(".test:not([hidden])");
        group.open = !all || Boolean(group.querySelector(".test[open]"));
      }
      document.getElementById("found").textContent = all ? "" : `${count} of ${tests.length} tests`;
      document.getElementById("none-found").hidden = count > 0;
    };
    find.addEventListener("input", filter);
    show.addEventListener("change", filter);
    filters.hidden = false;
  }

  // Links

  function show(details) {
    for (let one = details; one; one = one.parentElement?.closest("details")) one.open = true;
    if (details.matches(".test")) draw(details);
  }

  function follow() {
    let place = location.hash.slice(1);
    try {
      place = decodeURIComponent(place);
    } catch {
      // Not written by us: taken as it is.
    }
    const found = document.getElementById(place.replace(/\s/g, "_"));
    if (!found?.matches("details")) return;
    show(found);
    found.scrollIntoView();
  }

  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const code = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        // Without leave to write, one more key does it.
        getSelection().selectAllChildren(code);
        button.textContent = "Selected: copy it";
      }
    });
  }

  // What a reader looks for first is open.
  for (const test of tests.length <= 3 ? tests : tests.slice(0, 1)) show(test);
  window.addEventListener("hashchange", follow);
  follow();

  // Paper shows what a click would.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    const unsafe = ["map", "line.bad", "other"].map((kind) => `details.${kind}`);
    const shown = tests.filter((test) => !test.hidden).slice(0, PRINTED);
    const around = new Set(shown.map((test) => test.closest(".group")).filter(Boolean));
    opened = [...shown, ...around, ...document.querySelectorAll(unsafe.join(", "))].filter((one) => !one.open);
    opened.forEach(show);
  });
  window.addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
    opened = [];
  });
})();
