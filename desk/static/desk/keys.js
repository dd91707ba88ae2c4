"use strict";
/* Keys for the hand that stays on the keyboard; silent while one types. The list is in the ? dialog. */
{
    const help = document.getElementById("keys-help");
    const rows = () => [...document.querySelectorAll("#result_list tbody tr")];
    let waitsForGo = false;

    const current = () => document.querySelector("#result_list tr.here");

    const move = (by) => {
        const all = rows();
        if (!all.length) {
            return;
        }
        const at = all.indexOf(current());
        const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
        current()?.classList.remove("here");
        next.classList.add("here");
        next.scrollIntoView({block: "nearest"});
    };

    const search = () => {
        const field = document.getElementById("searchbar") ?? document.getElementById("nav-filter");
        field?.focus();
        field?.select();
    };

    const keys = {
        "/": search,
        "?": () => help.showModal(),
        "j": () => move(1),
        "k": () => move(-1),
        "Enter": () => current()?.querySelector("a")?.click(),
    };

    const typing = (target) => target.closest("input, textarea, select, button, a, summary, dialog, [contenteditable]");

    document.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || !help) {
            return;
        }
        const moves = event.key.length === 1 && !event.target.closest("input, textarea, select, dialog, [contenteditable]");
        if (!moves && typing(event.target)) {
            return;
        }
        if (waitsForGo && event.key === "h") {
            window.location.assign(help.dataset.home);
        }
        waitsForGo = event.key === "g";
        if (keys[event.key]) {
            event.preventDefault();
            keys[event.key]();
        }
    });
}
