(() => {
  "use strict";
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  // A sandboxed page has no storage and Evidently reads it on start: it gets one in memory.
  const storage = `<script>["localStorage", "sessionStorage"].forEach((name) => {
    const kept = new Map();
    Object.defineProperty(window, name, { value: {
      getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, String(value)),
      removeItem: (key) => kept.delete(key), clear: () => kept.clear() } });
  });<\/script>`;
  const evidently = document.querySelector("details.evidently");
  if (evidently) {
    evidently.addEventListener("toggle", async () => {
      const frame = evidently.querySelector("iframe");
      if (!evidently.open || frame.srcdoc) return;
      const page = await unpack(document.getElementById("evidently-page").textContent.trim());
      frame.srcdoc = page.replace("<head>", () => "<head>" + storage);
    });
  }
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details:not(.evidently)").forEach((each) => { each.open = true; });
  });
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
      links.forEach((link) => link.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    });
  }, { rootMargin: "-10% 0px -80% 0px" });
  document.querySelectorAll("main > section").forEach((section) => seen.observe(section));
})();
