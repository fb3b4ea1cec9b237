// Tells the service which items of a list really came into view.

const HALF = 0.5;
const GATHER_MS = 400;

export class ShownItems {
  // `send(answer, itemIds, leaving)` acknowledges items of an answer.
  constructor(send) {
    this.send = send;
    this.waiting = [];
    this.observer = new IntersectionObserver((entries) => this.#came(entries), { threshold: HALF });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#flush(true);
    });
  }

  // Watch the elements of a list, each with its item's id in `data-item`; the list before is let go.
  watch(answer, cards) {
    this.#flush(false);
    this.observer.disconnect();
    this.answer = answer;
    for (const card of cards) this.observer.observe(card);
  }

  #came(entries) {
    for (const entry of entries.filter((found) => found.isIntersecting)) {
      this.observer.unobserve(entry.target);
      this.waiting.push(entry.target.dataset.item);
    }
    this.timer ??= setTimeout(() => this.#flush(false), GATHER_MS);
  }

  #flush(leaving) {
    clearTimeout(this.timer);
    this.timer = undefined;
    const seen = this.waiting.splice(0);
    if (seen.length) this.send(this.answer, seen, leaving);
  }
}
