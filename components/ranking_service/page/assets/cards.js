// Lists of ranked products, as columns of cards.

import { button, element } from "./elements.js";
import { missing, moves } from "./differences.js";
import { armName, categoryWords, fallbackWords, inWords } from "./words.js";

const DIGEST = /^(sha256:[0-9a-f]{12})[0-9a-f]+$/;
const ACTIONS = { view: "View", add_to_cart: "Add", purchase: "Buy" };

export function titleOf(item) {
  return inWords(item.title ?? item.item_id);
}

// A column of one answer. `other` is the list to compare with (null: none), `told` says how: "change" or "arm".
export function column({ arm, answer, other, told, onAct }) {
  const found = other ? moves(answer.items, other) : [];
  const cards = answer.items.map((item, place) => card(item, place, mark(found[place], told), onAct));
  const name = armName(arm);
  const list = cards.length
    ? element("ol", { class: "cards", "aria-label": `${name}: ranked products` }, ...cards)
    : element("p", { class: "empty" }, "Nothing is left to show: the filters let no candidate through.");
  return element(
    "section", { class: "column", "data-arm": arm, "aria-label": name },
    element("div", { class: "column-head" }, element("h3", {}, name), summary(answer, other, told)),
    answer.fallback ? element("p", { class: "notice small" }, fallbackWords(answer.fallback)) : null,
    list,
    print(arm, answer),
  );
}

export function emptyColumn(arm, words) {
  const name = armName(arm);
  return element(
    "section", { class: "column", "data-arm": arm, "aria-label": name },
    element("div", { class: "column-head" }, element("h3", {}, name)),
    element("p", { class: "empty" }, words),
  );
}

function summary(answer, other, told) {
  if (told !== "arm" || !other) return null;
  const apart = moves(answer.items, other).filter((move) => move.kind === "new").length;
  const lost = missing(answer.items, other).length;
  const words = apart + lost === 0 ? "all shared"
    : `${answer.items.length - apart} of ${answer.items.length} shared`;
  return element("p", { class: "quiet" }, words);
}

function mark(move, told) {
  if (!move || move.kind === "same") return null;
  const places = `${move.by} ${move.by === 1 ? "place" : "places"}`;
  const words = {
    new: told === "arm" ? ["only here", "not in the champion's list"] : ["new", "new in the list"],
    up: [`▲ ${move.by}`, told === "arm" ? `${places} higher than the champion's` : `moved up ${places}`],
    down: [`▼ ${move.by}`, told === "arm" ? `${places} lower than the champion's` : `moved down ${places}`],
  }[move.kind];
  return element(
    "span", { class: `mark ${move.kind}` },
    element("span", { "aria-hidden": "true" }, words[0]),
    element("span", { class: "heard" }, words[1]),
  );
}

function card(item, place, marked, onAct) {
  const title = titleOf(item);
  const kind = categoryWords(item.category, item.title ?? "");
  return element(
    "li", { class: marked ? "card differs" : "card", "data-item": item.item_id },
    element("p", { class: "place" }, String(place + 1), marked),
    element(
      "div", { class: "what" },
      element("p", { class: "title" }, title),
      element("p", { class: "kind" }, [kind, `no.\u00a0${item.item_id}`].filter(Boolean).join(" · ")),
    ),
    reasonList(item.reasons ?? []),
    element("p", { class: "score" }, element("span", { class: "heard" }, "score "), score(item.score)),
    element(
      "div", { class: "actions" },
      ...Object.entries(ACTIONS).map(([type, text]) =>
        button(text, { class: type === "purchase" ? "solid" : null, "data-act": type, "aria-label": `${text} ${title}` },
          () => onAct(type, item))),
    ),
  );
}

function reasonList(reasons) {
  return reasons.length ? element("ul", { class: "why" }, ...reasons.map((reason) => element("li", {}, reason))) : null;
}

function score(value) {
  if (value === null) return "–";
  const tiny = value !== 0 && Math.abs(value) < 0.001;
  return value.toLocaleString("en", { maximumSignificantDigits: 3, notation: tiny ? "scientific" : "standard" });
}

function print(arm, answer) {
  const rows = {
    Bundle: answer.bundle?.replace(DIGEST, "$1"),
    Arm: answer.arm ?? arm,
    Experiment: answer.experiment,
    Fallback: answer.fallback ?? "none",
    Request: answer.request_id,
  };
  const told = Object.entries(rows).filter(([, value]) => value)
    .map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  return element("dl", { class: "print" }, ...told);
}
