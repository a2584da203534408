// What pages need of the browser beside htmx: copying a text. Pages work without it.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.classList.add("copied");
  document.getElementById("said").textContent = "Copied";
  setTimeout(() => button.classList.remove("copied"), 2000);
});

// Uploads: each file is sent as it is, and the page shows how far it is.

function setUpUploads(drop) {
  const list = drop.querySelector("ul");
  const input = drop.querySelector("input[type=file]");
  drop.hidden = false;
  input.addEventListener("change", () => start(input.files));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    start(event.dataTransfer.files);
  });
  const only = drop.dataset.key;
  let waiting = Promise.resolve();
  let failed = false;

  function start(files) {
    for (const file of only ? [...files].slice(0, 1) : files) {
      const item = showItem(file.name);
      waiting = waiting.then(() => send(file, item, false));
    }
    waiting.then(() => { if (!failed) location.reload(); });
  }

  function showItem(name) {
    const item = document.createElement("li");
    const title = document.createElement("span");
    const bar = document.createElement("progress");
    const words = document.createElement("span");
    title.textContent = name;
    bar.setAttribute("aria-label", name);
    bar.max = 1;
    bar.value = 0;
    words.textContent = "waiting";
    words.setAttribute("role", "status");
    item.append(title, bar, words);
    list.append(item);
    return { item, bar, words };
  }

  function send(file, shown, replace) {
    return new Promise((resolve) => {
      const query = new URLSearchParams({ key: only || drop.dataset.prefix + file.name });
      for (const field of drop.querySelectorAll("input[name]")) query.set(field.name, field.value);
      if (replace) query.set("replace", "yes");
      const request = new XMLHttpRequest();
      request.open("POST", `${drop.dataset.upload}?${query}`);
      request.responseType = "json";
      request.upload.addEventListener("progress", (event) => {
        shown.bar.value = event.total ? event.loaded / event.total : 0;
        shown.words.textContent = `${Math.floor(100 * shown.bar.value)} %`;
      });
      request.addEventListener("loadend", () => {
        if (request.status === 201) {
          shown.bar.value = 1;
          shown.words.textContent = "done";
        } else {
          tellFailure(file, shown, request);
        }
        resolve();
      });
      request.send(file);
    });
  }

  function tellFailure(file, shown, request) {
    failed = true;
    const answer = request.response || { cause: "the dashboard does not answer", code: "", remedy: "" };
    shown.words.textContent = [answer.cause, answer.remedy].filter(Boolean).join(". ");
    const words = { already_exists: "Replace", version_conflict: "Publish it all the same" }[answer.code];
    if (!words) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.addEventListener("click", () => {
      button.remove();
      failed = false;
      send(file, shown, true).then(() => { if (!failed) location.reload(); });
    });
    shown.item.append(button);
  }
}

document.querySelectorAll("[data-upload]").forEach(setUpUploads);
