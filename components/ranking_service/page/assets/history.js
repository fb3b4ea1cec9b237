// What a customer bought, and what was done in this visit.

import { element } from "./elements.js";
import { DONE, agoWords, inWords, timesWords } from "./words.js";

const FEW = 8;

export class History {
  constructor({ section, note, list, more, visit, visitList }) {
    Object.assign(this, { section, note, list, more, visit, visitList, done: new Set() });
    more.addEventListener("click", () => this.#showAll());
  }

  // Show another customer: the service's answer to GET v1/customers/{id}.
  show(user, { known, bought }) {
    if (this.user !== user) this.most = FEW;
    Object.assign(this, { user, bought });
    this.note.textContent = known ? "Nothing yet." : "Nobody by this id is known.";
    this.note.hidden = bought.length > 0;
    this.#fill();
    this.section.hidden = false;
  }

  startVisit() {
    this.done = new Set();
    this.visitList.replaceChildren();
    this.visit.hidden = true;
  }

  // An event that is sent again is one all the same.
  remember({ event_id: id, type }, title) {
    if (this.done.has(id)) return;
    this.done.add(id);
    this.visitList.prepend(entry(title, DONE[type].toLowerCase()));
    this.visit.hidden = false;
  }

  cannotTell(user, words) {
    this.show(user, { known: true, bought: [] });
    this.note.textContent = words;
  }

  #fill() {
    const rows = this.bought.slice(0, this.most);
    this.list.replaceChildren(...rows.map((row) =>
      entry(inWords(row.title), [timesWords(row.trips), agoWords(row.days_since_last)].filter(Boolean).join(", last "))));
    this.more.hidden = this.bought.length <= this.most;
    this.more.textContent = `Show all ${this.bought.length}`;
  }

  #showAll() {
    this.most = Infinity;
    this.#fill();
    const next = this.list.children[FEW];
    next.tabIndex = -1;
    next.focus(); // the button that had the focus is gone
  }
}

function entry(title, words) {
  return element("li", {}, element("span", { class: "title" }, title), element("span", { class: "quiet" }, words));
}
