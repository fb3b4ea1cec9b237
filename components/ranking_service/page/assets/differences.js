// What differs between two lists of items, by item id.

import { listed } from "./words.js";

// For each item of `now`: {kind: "new" | "up" | "down" | "same", by: places}.
export function moves(now, before) {
  const places = new Map(before.map((item, place) => [item.item_id, place]));
  return now.map((item, place) => {
    const was = places.get(item.item_id);
    if (was === undefined) return { kind: "new", by: 0 };
    return { kind: was > place ? "up" : was < place ? "down" : "same", by: Math.abs(was - place) };
  });
}

export function missing(now, before) {
  const ids = new Set(now.map((item) => item.item_id));
  return before.filter((item) => !ids.has(item.item_id));
}

export function changeWords(now, before, nameOf) {
  const found = moves(now, before);
  const count = (kind) => found.filter((move) => move.kind === kind).length;
  const gone = missing(now, before).map(nameOf);
  const parts = [];
  if (count("up")) parts.push(`${count("up")} moved up`);
  if (count("new")) parts.push(`${count("new")} new`);
  if (gone.length) parts.push(`${gone.length} gone (${listed(gone.slice(0, 3))}${gone.length > 3 ? ", …" : ""})`);
  if (parts.length) return `The list changed: ${listed(parts)}.`;
  return count("down") ? "The order changed." : "The list stayed as it was.";
}
