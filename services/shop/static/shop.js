/* What pages do beyond links and forms: the sheet above the feed, live prices and stock, offline. */
(() => {
  "use strict";
  const body = document.body;
  const sheet = document.getElementById("sheet");
  const text = (id) => document.getElementById(id).content.textContent;

  // The sheet: htmx fills it, then it opens; a click beside it closes it.
  body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === sheet && !sheet.open) {
      sheet.showModal();
      sheet.scrollTop = 0;
    }
    follow();
  });
  sheet.addEventListener("click", (event) => {
    if (event.target === sheet) sheet.close();
  });

  // A box on the picture and the button of the same piece belong together.
  const mark = (event, on) => {
    const link = event.target.closest && event.target.closest("[data-piece]");
    if (!link) return;
    for (const one of document.querySelectorAll(`[data-piece="${link.dataset.piece}"]`)) {
      one.classList.toggle("marked", on);
    }
  };
  for (const [name, on] of [["mouseover", true], ["focusin", true], ["mouseout", false], ["focusout", false]]) {
    body.addEventListener(name, (event) => mark(event, on));
  }

  // Live: one stream per page, for the products that it shows.
  let stream = null;
  let followed = "";
  let fresh = 0;
  function follow() {
    const keys = new Set();
    for (const one of document.querySelectorAll("[data-live]")) keys.add(one.dataset.live);
    const asked = new URLSearchParams();
    for (const key of [...keys].slice(0, 200)) asked.append("p", key);
    if (body.dataset.look) asked.set("look", body.dataset.look);
    const wanted = asked.toString();
    if (stream && wanted === followed) return;
    if (stream) stream.close();
    followed = wanted;
    if (!wanted && !("newLooks" in body.dataset)) return;
    stream = new EventSource(`${body.dataset.livePath}?${wanted}`);
    stream.addEventListener("facts", (event) => show(JSON.parse(event.data)));
    stream.addEventListener("matched", () => location.reload());
    stream.addEventListener("gap", () => location.reload());
    stream.addEventListener("look", announce);
  }
  function show(facts) {
    for (const place of document.querySelectorAll("[data-live]")) {
      if (place.dataset.live !== facts.key) continue;
      const before = place.dataset;
      const price = facts.price || "";
      const changed =
        before.price !== price ? "price-changed" : before.state !== facts.state ? "stock-changed" : "";
      place.innerHTML = facts.html;
      place.dataset.price = price;
      place.dataset.state = facts.state;
      if (!changed) continue;
      const note = document.createElement("p");
      note.className = "changed";
      note.setAttribute("role", "status");
      place.append(note);
      note.textContent = text(changed);
    }
  }
  function announce() {
    const link = document.querySelector(".fresh a");
    if (!link || !("newLooks" in body.dataset)) return;
    fresh += 1;
    link.textContent = fresh === 1 ? link.dataset.one : link.dataset.other.replace(/2|२/, String(fresh));
    link.hidden = false;
  }

  // Try it: a picture is chosen, dropped or taken, made smaller, and shown before it is sent.
  const chooser = document.getElementById("picture");
  const LONGEST = 1600;
  let own = "";
  async function choose() {
    const file = chooser.files[0];
    if (!file) return;
    const small = await reduced(file).catch(() => file);
    if (small !== file) {
      const files = new DataTransfer();
      files.items.add(small);
      chooser.files = files.files;
    }
    if (own) URL.revokeObjectURL(own);
    own = URL.createObjectURL(small);
    const chosen = document.getElementById("chosen");
    chosen.src = own;
    chosen.hidden = false;
    document.getElementById("try").requestSubmit();
  }
  async function reduced(file) {
    const image = await createImageBitmap(file);
    const scale = LONGEST / Math.max(image.width, image.height);
    if (scale >= 1 && file.size < 2e6) return file;
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(image.width * Math.min(1, scale));
    canvas.height = Math.round(image.height * Math.min(1, scale));
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
    return new File([blob], "picture.jpg", { type: "image/jpeg" });
  }
  if (chooser) {
    const form = document.getElementById("try");
    const busy = form.querySelector(".busy");
    form.classList.add("scripted");
    chooser.addEventListener("change", choose);
    for (const name of ["dragover", "dragleave", "drop"]) {
      form.addEventListener(name, (event) => {
        event.preventDefault();
        form.classList.toggle("over", name === "dragover");
        if (name === "drop" && event.dataTransfer.files.length) {
          chooser.files = event.dataTransfer.files;
          choose();
        }
      });
    }
    form.addEventListener("htmx:beforeRequest", () => (busy.textContent = busy.dataset.busy));
    form.addEventListener("htmx:afterRequest", () => (busy.textContent = ""));
    body.addEventListener("htmx:afterSwap", (event) => {
      if (event.detail.target.id !== "tried") return;
      for (const image of document.querySelectorAll("[data-own]")) image.src = own;
      const heading = document.querySelector("#tried [data-focus]");
      if (heading) heading.focus();
    });
  }

  // A box follows its sliders, and its sliders follow it when it is dragged.
  const edges = (form) => ["x0", "y0", "x1", "y1"].map((name) => form.elements[name]);
  function draw(form) {
    const link = document.querySelector(`.own [data-piece="${form.dataset.number}"]`);
    const picture = document.querySelector(".own svg");
    if (!link || !picture) return;
    const { width, height } = picture.viewBox.baseVal;
    const [x0, y0, x1, y1] = edges(form).map((one) => Number(one.value) / 100);
    const rect = link.querySelector("rect");
    const radius = Number(link.querySelector("circle").getAttribute("r"));
    rect.setAttribute("x", x0 * width);
    rect.setAttribute("y", y0 * height);
    rect.setAttribute("width", Math.max(1, (x1 - x0) * width));
    rect.setAttribute("height", Math.max(1, (y1 - y0) * height));
    for (const [mark, x, y] of [["circle", "cx", "cy"], ["text", "x", "y"]]) {
      link.querySelector(mark).setAttribute(x, x0 * width + radius);
      link.querySelector(mark).setAttribute(y, y0 * height + radius);
    }
  }
  body.addEventListener("input", (event) => {
    const form = event.target.closest(".tune");
    if (!form || event.target.type !== "range") return;
    const [x0, y0, x1, y1] = edges(form);
    const least = 2;
    if (event.target === x0 || event.target === y0) {
      const other = event.target === x0 ? x1 : y1;
      event.target.value = Math.min(Number(event.target.value), Number(other.value) - least);
    } else {
      const other = event.target === x1 ? x0 : y0;
      event.target.value = Math.max(Number(event.target.value), Number(other.value) + least);
    }
    draw(form);
  });
  let drag = null;
  body.addEventListener("pointerdown", (event) => {
    const link = event.target.closest && event.target.closest(".own [data-piece]");
    if (!link) return;
    const form = document.querySelector(`.tune[data-number="${link.dataset.piece}"]`);
    const place = link.ownerSVGElement.getScreenCTM();
    const { width, height } = link.ownerSVGElement.viewBox.baseVal;
    const start = edges(form).map((one) => Number(one.value));
    drag = { form, start, x: event.clientX, y: event.clientY, moved: false,
      across: 100 / (width * place.a), down: 100 / (height * place.d) };
    link.ownerSVGElement.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  body.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [x0, y0, x1, y1] = drag.start;
    const dx = Math.min(100 - x1, Math.max(-x0, (event.clientX - drag.x) * drag.across));
    const dy = Math.min(100 - y1, Math.max(-y0, (event.clientY - drag.y) * drag.down));
    drag.moved = drag.moved || Math.abs(dx) + Math.abs(dy) > 1;
    edges(drag.form).forEach((one, place) => (one.value = drag.start[place] + (place % 2 ? dy : dx)));
    draw(drag.form);
  });
  body.addEventListener("pointerup", () => {
    if (!drag) return;
    if (drag.moved) drag.form.dispatchEvent(new Event("change", { bubbles: true }));
    else document.getElementById(`piece-${drag.form.dataset.number}`).scrollIntoView();
    drag = null;
  });

  // A picture that a busy server could not give is asked for once more.
  const again = (image) => {
    if (!image.getAttribute("src") || image.dataset.again || image.src.startsWith("blob:")) return;
    image.dataset.again = "1";
    setTimeout(() => (image.src = image.getAttribute("src")), 2500);
  };
  addEventListener("error", (event) => event.target.tagName === "IMG" && again(event.target), true);
  for (const image of document.images) if (image.complete && !image.naturalWidth) again(image);

  // Offline.
  const bar = document.querySelector(".offline");
  const say = () => {
    bar.hidden = navigator.onLine;
    bar.textContent = navigator.onLine ? bar.dataset.online : bar.dataset.offline;
  };
  addEventListener("offline", say);
  addEventListener("online", say);
  if (!navigator.onLine) say();

  follow();
  addEventListener("pagehide", () => stream && stream.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
})();
