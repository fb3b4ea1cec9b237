(() => {
  "use strict";
  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  const evidently = document.querySelector("details.evidently");
  if (evidently) {
    evidently.addEventListener("toggle", async () => {
      const frame = evidently.querySelector("iframe");
      if (!evidently.open || frame.srcdoc) return;
      frame.srcdoc = await unpack(document.getElementById("evidently-page").textContent.trim());
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
