// What pages do better with scripts than without; without them all still works.
"use strict";

// Menus and filters stand open where there is room.
for (const fold of document.querySelectorAll("details[data-wide-open]")) {
  fold.open = matchMedia(`(min-width: ${fold.dataset.wideOpen}px)`).matches;
}

// One tick for all rows of the page.
for (const all of document.querySelectorAll("[data-tick-all]")) {
  all.addEventListener("change", () => {
    for (const one of all.form.querySelectorAll('input[name="_id"]')) one.checked = all.checked;
  });
}

// Another row of what belongs to a thing.
for (const set of document.querySelectorAll("fieldset.inline")) {
  const button = set.querySelector("[data-add-row]"), row = set.querySelector("template");
  if (!button || !row) continue;
  let next = Number(set.dataset.next);
  button.hidden = false;
  button.addEventListener("click", () => {
    const copy = row.content.cloneNode(true);
    for (const field of copy.querySelectorAll("[name]")) {
      field.name = field.name.replace("-__-", `-${next}-`);
      if (field.id) field.id = field.id.replace("-__-", `-${next}-`);
    }
    next++;
    const first = copy.querySelector("input, select");
    set.querySelector("tbody").append(copy);
    first.focus();
  });
}

// A field for the number of another thing becomes one in which its name is typed:
// the number is sent, the name is shown. By the pattern "combobox" of WAI-ARIA.
let boxes = 0;
for (const box of document.querySelectorAll(".relation[data-suggest]")) {
  const number = box.querySelector("input");
  const words = number.cloneNode();
  const list = document.createElement("ul");
  list.id = `options-${++boxes}`;
  list.className = "options";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  list.hidden = true;
  words.removeAttribute("name");
  words.value = box.dataset.text || number.value;
  for (const [k, v] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", list.id]]) words.setAttribute(k, v);
  number.type = "hidden";
  number.removeAttribute("id");
  number.removeAttribute("aria-label");
  box.prepend(words);
  box.append(list);

  let at = -1, asked = 0, timer = 0;
  const close = () => {
    list.hidden = true;
    at = -1;
    words.setAttribute("aria-expanded", "false");
    words.removeAttribute("aria-activedescendant");
  };
  const choose = (option) => {
    number.value = option.dataset.id;
    words.value = option.textContent;
    close();
  };
  const move = (to) => {
    const options = list.children;
    if (!options.length) return;
    if (options[at]) options[at].setAttribute("aria-selected", "false");
    at = (to + options.length) % options.length;
    options[at].setAttribute("aria-selected", "true");
    options[at].scrollIntoView({ block: "nearest" });
    words.setAttribute("aria-activedescendant", options[at].id);
  };
  const ask = async () => {
    const mine = ++asked;
    let found = [];
    try {
      const answer = await fetch(`${box.dataset.suggest}?q=${encodeURIComponent(words.value)}`, { headers: { Accept: "application/json" } });
      if (answer.ok) found = await answer.json();
    } catch { /* the number can still be typed in */ }
    if (mine !== asked || document.activeElement !== words) return;
    list.replaceChildren(...found.map((one, i) => {
      const option = document.createElement("li");
      option.id = `${list.id}-${i}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.id = one.id;
      option.textContent = one.label;
      option.addEventListener("mousedown", (e) => { e.preventDefault(); choose(option); });
      return option;
    }));
    at = -1;
    list.hidden = !found.length;
    words.setAttribute("aria-expanded", String(!list.hidden));
  };
  words.addEventListener("input", () => {
    // What is typed counts as a number until something is chosen.
    number.value = words.value.trim().replace(/^#/, "");
    clearTimeout(timer);
    timer = setTimeout(ask, 150);
  });
  words.addEventListener("keydown", (e) => {
    if (e.key === "ArrowDown") { e.preventDefault(); list.hidden ? ask() : move(at + 1); }
    else if (e.key === "ArrowUp" && !list.hidden) { e.preventDefault(); move(at - 1); }
    else if (e.key === "Enter" && !list.hidden && list.children[Math.max(at, 0)]) { e.preventDefault(); choose(list.children[Math.max(at, 0)]); }
    else if (e.key === "Escape" && !list.hidden) { e.preventDefault(); close(); }
  });
  words.addEventListener("blur", close);
}
