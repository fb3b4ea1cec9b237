// The form of candidate sources, shop rules and filters.

import { element } from "./elements.js";
import { inWords, sourceName } from "./words.js";

const LIMITS = [1, 2, 3, 5];
const NO_LIMIT = 1000; // the longest list there is

export class Choices {
  constructor({ form, note, sources, inStock, inStockNote, perCategory, category, maxPrice }, onChange) {
    Object.assign(this, { form, note, sources, inStock, inStockNote, perCategory, category, maxPrice, onChange });
    form.addEventListener("change", () => this.#changed());
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => this.#changed())); // after the form has its first values
  }

  // Offer what the shop has: its answer to GET v1/shop.
  offer(shop) {
    this.sources.replaceChildren(...shop.sources.map((name) =>
      element("label", { class: "chip" },
        element("input", { type: "checkbox", name: "source", value: name, checked: true }),
        element("span", {}, sourceName(name)))));
    this.#offerRules(shop.rules ?? {});
    this.category.replaceChildren(
      element("option", { value: "" }, "All categories"),
      ...shop.categories.map((name) => element("option", { value: name }, inWords(name))));
  }

  #offerRules(rules) {
    const toldStock = Boolean(rules.in_stock_only);
    this.inStock.defaultChecked = toldStock;
    this.inStock.disabled = !toldStock;
    this.inStockNote.hidden = toldStock;
    const own = rules.max_per_category ?? null;
    this.perCategory.replaceChildren(
      element("option", { value: "" }, own === null ? "No limit" : `${own}, the shop's rule`),
      ...LIMITS.filter((limit) => limit !== own).map((limit) => element("option", { value: String(limit) }, String(limit))),
      ...(own === null ? [] : [element("option", { value: String(NO_LIMIT) }, "No limit")]));
  }

  // The filters of a request; null when no source is on, so that there is nothing to ask for.
  filters() {
    const boxes = [...this.sources.querySelectorAll("input")];
    const on = boxes.filter((box) => box.checked).map((box) => box.value);
    if (boxes.length && !on.length) return null;
    const filters = {};
    if (on.length < boxes.length) filters.sources = on;
    if (this.inStock.checked !== this.inStock.defaultChecked) filters.in_stock_only = this.inStock.checked;
    if (this.perCategory.value) filters.max_per_category = Number(this.perCategory.value);
    if (this.category.value) filters.categories = [this.category.value];
    if (this.maxPrice.value && this.maxPrice.validity.valid) filters.max_price = Number(this.maxPrice.value);
    return filters;
  }

  #changed() {
    const filters = this.filters();
    const count = filters === null ? 1 : Object.keys(filters).length;
    this.note.textContent = count ? ` · ${count} changed` : "";
    this.onChange();
  }
}
