// The field to choose a customer in: a combobox whose list follows what is typed.

import { element } from "./elements.js";
import { ask } from "./service.js";

const TYPING_MS = 120;
const MOST = 12;

export class CustomerField {
  // `choose(id)` is called with a customer that was picked or typed.
  constructor({ form, input, options }, choose) {
    Object.assign(this, { input, options, choose, active: -1 });
    input.addEventListener("input", () => this.#later());
    input.addEventListener("click", () => this.#suggest());
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("blur", () => this.#close());
    options.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
    options.addEventListener("click", (event) => this.#picked(event.target.closest("[role=option]")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#pick(this.input.value);
    });
  }

  #later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#suggest(), TYPING_MS);
  }

  async #suggest() {
    this.asked?.abort();
    this.asked = new AbortController();
    const query = new URLSearchParams({ like: this.input.value.trim(), limit: MOST });
    try {
      const { customers } = await ask(`v1/customers?${query}`, { signal: this.asked.signal });
      this.#open(customers);
    } catch {
      this.#close(); // an id can still be typed; asking for it tells what is wrong
    }
  }

  #open(ids) {
    if (document.activeElement !== this.input) return;
    this.active = -1;
    this.options.replaceChildren(...ids.map((id, place) =>
      element("li", { role: "option", id: `customer-option-${place}`, "aria-selected": "false" }, id)));
    this.#expand(ids.length > 0);
  }

  #close() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.#expand(false);
  }

  #expand(open) {
    this.options.hidden = !open;
    this.input.setAttribute("aria-expanded", String(open));
    if (!open) this.#activate(-1);
  }

  #activate(place) {
    this.active = place;
    [...this.options.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === place)));
    const option = this.options.children[place];
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  #key(event) {
    const open = !this.options.hidden;
    const count = this.options.children.length;
    if (event.key === "ArrowDown" && !open) this.#suggest();
    else if (event.key === "ArrowDown") this.#activate((this.active + 1) % count);
    else if (event.key === "ArrowUp" && open) this.#activate(this.active <= 0 ? count - 1 : this.active - 1);
    else if (event.key === "Escape" && open) this.#close();
    else if (event.key === "Enter" && open && this.active >= 0) this.#picked(this.options.children[this.active]);
    else return;
    event.preventDefault();
  }

  #picked(option) {
    if (option) this.#pick(option.textContent);
  }

  #pick(text) {
    const id = text.trim();
    if (!id) return;
    this.input.value = id;
    this.#close();
    this.choose(id);
  }
}
