// Tells assistive technology what the sliders of a panel are called and what they stand at.
//
// ipywidgets writes both beside a slider, but gives its handle, which has the focus, no name, and as
// its value in words the position of the handle: of a logarithmic slider, an exponent.

function put(element, attribute, text) {
  if (text && element.getAttribute(attribute) !== text) element.setAttribute(attribute, text);
}

function nameSliders(panel) {
  for (const slider of panel.querySelectorAll(".widget-slider")) {
    const handle = slider.querySelector(".noUi-handle");
    if (!handle) continue; // not drawn yet
    put(handle, "aria-label", slider.querySelector(".widget-label")?.textContent);
    put(handle, "aria-valuetext", slider.querySelector(".widget-readout")?.textContent);
  }
}

export default {
  /** @param {{ el: HTMLElement }} context */
  render({ el }) {
    el.hidden = true;
    let watch = null;
    // The element is put into its panel after this; its siblings are drawn one by one.
    const start = requestAnimationFrame(function attach() {
      const panel = el.parentElement;
      if (!panel) return requestAnimationFrame(attach);
      watch = new MutationObserver(() => nameSliders(panel));
      watch.observe(panel, {
        subtree: true,
        childList: true,
        characterData: true,
        attributeFilter: ["aria-valuetext"],
      });
      nameSliders(panel);
    });
    return () => {
      cancelAnimationFrame(start);
      watch?.disconnect();
    };
  },
};
