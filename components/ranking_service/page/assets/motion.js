// Lets cards glide to their new places, for those who like movement.

const GLIDE_MS = 240;

export function places(container) {
  return new Map([...container.querySelectorAll("[data-item]")].map((card) => [keyOf(card), card.getBoundingClientRect()]));
}

export function glide(container, before) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const card of container.querySelectorAll("[data-item]")) {
    const was = before.get(keyOf(card));
    const is = card.getBoundingClientRect();
    const [x, y] = was ? [was.left - is.left, was.top - is.top] : [0, 0];
    if (was && !x && !y) continue;
    const from = was ? { transform: `translate(${x}px, ${y}px)` } : { opacity: 0 };
    card.animate([from, {}], { duration: GLIDE_MS, easing: "ease-out" });
  }
}

function keyOf(card) {
  return `${card.closest("[data-arm]").dataset.arm} ${card.dataset.item}`;
}
