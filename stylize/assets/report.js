"use strict";
// Two pictures of one scene on top of one another: mouse, finger and arrow keys move the line between them. Without
// this script (a mail program that takes scripts away) the style sheet shows them side by side.
(() => {
  const wipes = [...document.querySelectorAll(".wipe")];

  const show = (wipe, at) => {
    const input = wipe.querySelector("input");
    input.value = Math.min(100, Math.max(0, at));
    wipe.style.setProperty("--at", `${input.value}%`);
    const { left, right } = wipe.dataset;
    const share = Math.round(input.value);
    input.setAttribute("aria-valuetext", `${share} % ${left}, ${100 - share} % ${right}`);
  };

  for (const wipe of wipes) {
    const input = wipe.querySelector("input");
    const follow = (event) => {
      const box = wipe.getBoundingClientRect();
      show(wipe, (100 * (event.clientX - box.left)) / box.width);
    };
    wipe.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      wipe.setPointerCapture(event.pointerId);
      input.focus({ preventScroll: true });
      if (event.pointerType === "mouse") follow(event); // a finger may be about to scroll the page
    });
    wipe.addEventListener("pointermove", (event) => {
      if (wipe.hasPointerCapture(event.pointerId)) follow(event);
    });
    wipe.addEventListener("click", follow);
    input.addEventListener("input", () => show(wipe, input.value));
    input.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      show(wipe, Number(input.value) + step);
    });
    show(wipe, input.value);
  }

  for (const group of document.querySelectorAll(".wipes")) {
    const buttons = [...group.querySelectorAll(".together button")];
    for (const button of buttons) {
      button.addEventListener("click", () => {
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        for (const wipe of group.querySelectorAll(".wipe")) show(wipe, button.dataset.at);
      });
    }
  }

  document.documentElement.classList.add("scripted");
})();
