"use strict";
/* The form of a new task: what would be taken follows what is typed. Without this script two buttons ask for it. */
{
    const form = document.getElementById("task-form");
    const PAUSE_MS = 250;
    const part = (name) => form.querySelector(`[data-part=${name}]`);
    const said = () => {
        const all = new FormData(form);
        const fields = ["requested_count", "mode", "distillation", "find"];
        return new URLSearchParams(fields.map((name) => [name, all.get(name) ?? ""])).toString();
    };

    let asked = 0;
    const ask = async (names) => {
        const mine = ++asked;
        const answer = await fetch(`${form.dataset.draft}?${said()}`, {credentials: "same-origin", cache: "no-store"});
        if (!answer.ok || answer.redirected || mine !== asked) {
            return;
        }
        const fresh = document.createElement("div");
        fresh.innerHTML = await answer.text();
        for (const name of names) {
            part(name).replaceChildren(fresh.querySelector(`template[data-part=${name}]`).content);
        }
    };

    let waits = 0;
    let names = new Set();
    const soon = (...wanted) => {
        wanted.forEach((name) => names.add(name));
        clearTimeout(waits);
        waits = setTimeout(() => {
            ask(names).catch(() => { /* the buttons still work */ });
            names = new Set();
        }, PAUSE_MS);
    };

    form.addEventListener("input", (event) => {
        if (event.target.name === "find") {
            soon("options", "preview", "available");
        } else if (["requested_count", "mode", "distillation"].includes(event.target.name)) {
            soon("preview", "available");
        }
    });

    // Enter in the search looks for the keyword, and does not make a task
    form.elements.find.addEventListener("keydown", (event) => {
        if (event.key === "Enter") {
            event.preventDefault();
            soon("options", "preview", "available");
        }
    });

    let isSent = false;
    form.addEventListener("submit", (event) => {
        if (isSent) {
            event.preventDefault();
        }
        isSent = true;
    });
    window.addEventListener("pageshow", () => { isSent = false; });
}
