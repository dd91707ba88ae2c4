"use strict";
/* Compose without reloads: the order by drag, by buttons and by keys, edits in place, and the preview as one types.

   The server draws everything; after each deed its part of the screen is taken from the answer. */
{
    const root = document.querySelector("[data-compose]");
    const body = document.getElementById("compose-body");
    const toast = document.getElementById("toast");
    const token = () => document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
    const query = () => body.querySelector("[data-query]").dataset.query;

    let hides = 0;
    const say = (text, bad = false) => {
        toast.textContent = text;
        toast.classList.toggle("bad", bad);
        toast.classList.add("shown");
        clearTimeout(hides);
        hides = setTimeout(() => toast.classList.remove("shown"), bad ? 9000 : 4000);
    };

    // --- drawing ----------------------------------------------------------------------------------

    const draw = (html) => {
        const active = document.activeElement;
        const field = body.contains(active) && active.name ? {name: active.name, form: active.form?.id, at: active.selectionStart} : null;
        const key = current()?.dataset.key;
        const side = body.querySelector(".compose-side")?.scrollTop ?? 0;
        const text = body.querySelector(".brief-text")?.scrollTop ?? 0;
        const format = [...body.querySelectorAll(".format")].findIndex((each) => each.open);
        body.innerHTML = html;
        const formats = body.querySelectorAll(".format");
        if (format > 0 && formats[format]) {
            formats[format].open = true;  // the others of its name close
        }
        body.querySelector(".compose-side").scrollTop = side;
        body.querySelector(".brief-text")?.scrollTo(0, text);
        if (key) {
            document.getElementById(`entry-${key}`)?.classList.add("here");
        }
        if (field?.form) {  // one goes on typing where one was
            const again = document.getElementById(field.form)?.elements[field.name];
            again?.focus({preventScroll: true});
            if (field.at !== null && again?.setSelectionRange && again.type === "text") {
                again.setSelectionRange(field.at, field.at);
            }
        } else if (key) {
            focusOn(document.getElementById(`entry-${key}`));
        }
    };

    let asked = 0;
    const load = async (search) => {
        const mine = ++asked;
        try {
            const answer = await fetch(`${root.dataset.url}?${search}`, {headers: {"X-Part": "1"}, credentials: "same-origin", cache: "no-store"});
            if (!answer.ok || answer.redirected) {
                throw new Error("no-answer");
            }
            const html = await answer.text();
            if (mine === asked) {
                draw(html);
                history.replaceState(null, "", `?${query()}`);
            }
        } catch {
            say(root.dataset.failed, true);
        }
    };

    const post = async (address, fields) => {
        const headers = {Accept: "application/json", "X-CSRFToken": token()};
        const answer = await fetch(address, {method: "POST", headers, body: new URLSearchParams(fields), credentials: "same-origin"});
        if (answer.redirected || !answer.headers.get("Content-Type")?.includes("json")) {
            throw new Error("no-answer");
        }
        return {ok: answer.ok, ...await answer.json()};
    };

    let line = Promise.resolve();
    const inLine = (work) => {
        line = line.then(work).catch(() => say(root.dataset.failed, true));
        return line;
    };

    // --- order ------------------------------------------------------------------------------------

    const entries = () => [...body.querySelectorAll(".entry")];
    const current = () => body.querySelector(".entry.here");

    const focusOn = (entry) => {
        if (entry) {
            entry.tabIndex = -1;
            entry.focus({preventScroll: true});
            entry.scrollIntoView({block: "nearest"});
        }
    };

    const go = (entry) => {
        if (entry) {
            current()?.classList.remove("here");
            entry.classList.add("here");
            focusOn(entry);
        }
    };

    const step = (by) => {
        const all = entries();
        const at = all.indexOf(current());
        go(all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]);
    };

    const renumber = () => {
        for (const list of body.querySelectorAll("[data-section]")) {
            [...list.children].forEach((entry, at) => {
                entry.querySelector(".entry-place").textContent = at + 1;
            });
        }
    };

    let soon = 0;
    const keepOrder = () => {
        renumber();
        clearTimeout(soon);  // several steps of one article are one change
        soon = setTimeout(() => inLine(async () => {
            const order = entries().map((entry) => `${entry.dataset.key}:${entry.dataset.version}`).join(" ");
            const answer = await post(root.dataset.order, {order, next: query()});
            draw(answer.body);
            say(answer.message, !answer.ok);
        }), 350);
    };

    const move = (entry, by) => {
        const other = by < 0 ? entry?.previousElementSibling : entry?.nextElementSibling;
        if (!entry?.parentElement.matches("[data-section]") || !other || unsaved()) {
            return;
        }
        if (by < 0) {
            other.before(entry);
        } else {
            other.after(entry);
        }
        go(entry);
        keepOrder();
    };

    let dragged = null;
    const clear = () => {
        for (const each of body.querySelectorAll(".over, .under")) {
            each.classList.remove("over", "under");
        }
    };
    const isBelow = (event, entry) => {
        const box = entry.getBoundingClientRect();
        return event.clientY > box.top + box.height / 2;
    };
    const target = (event) => {
        const entry = event.target.closest?.(".entry");
        return dragged && entry && entry !== dragged && entry.parentElement === dragged.parentElement ? entry : null;
    };

    root.addEventListener("dragstart", (event) => {
        dragged = event.target.closest?.(".entry[draggable]");
        if (!dragged || unsaved()) {
            dragged = null;
            event.preventDefault();
            return;
        }
        dragged.classList.add("dragged");
        event.dataTransfer.effectAllowed = "move";
        event.dataTransfer.setData("text/plain", dragged.dataset.key);
    });
    root.addEventListener("dragover", (event) => {
        const entry = target(event);
        clear();
        if (entry) {
            event.preventDefault();
            entry.classList.add(isBelow(event, entry) ? "under" : "over");
        }
    });
    root.addEventListener("drop", (event) => {
        const entry = target(event);
        if (entry) {
            event.preventDefault();
            entry[isBelow(event, entry) ? "after" : "before"](dragged);
            go(dragged);
            keepOrder();
        }
    });
    root.addEventListener("dragend", () => {
        dragged?.classList.remove("dragged");
        dragged = null;
        clear();
    });

    // --- edits and options ------------------------------------------------------------------------

    const unsaved = () => [...body.querySelectorAll("form[data-edit]")].some((form) => [...form.elements].some((field) =>
        field.name && field.type !== "hidden" && field.value !== field.defaultValue));

    const options = () => {
        const form = document.getElementById("compose-options");
        const fields = new FormData(form);
        fields.delete("csrfmiddlewaretoken");
        return new URLSearchParams(fields).toString();
    };

    let typed = 0;
    const changed = (wait) => {
        clearTimeout(typed);
        typed = setTimeout(() => {
            if (!unsaved()) {
                load(options());
            }
        }, wait);
    };

    body.addEventListener("input", (event) => {
        if (event.target.form?.id === "compose-options") {
            changed(event.target.matches("select, [type=checkbox], [type=date]") ? 0 : 450);
        }
    });

    const edit = (entry) => {
        if (entry && !unsaved()) {
            load(`${query()}&edit=${entry.dataset.key}`).then(() => {
                const field = document.querySelector(`#entry-${entry.dataset.key} textarea`);
                field?.focus();
                field?.scrollIntoView({block: "nearest"});
            });
        } else if (entry) {
            say(root.dataset.unsaved, true);
        }
    };

    const save = (form) => inLine(async () => {
        const answer = await post(form.action, new FormData(form));
        if (answer.ok) {
            await load(query());
        } else {
            form.parentElement.innerHTML = answer.panel;
        }
        say(answer.message, !answer.ok);
    });

    const takeOut = (entry) => {
        const button = entry?.querySelector("[data-out] button");
        if (!button || unsaved()) {
            return;
        }
        const next = entry.nextElementSibling ?? entry.previousElementSibling;
        go(next);
        entry.remove();
        renumber();
        inLine(async () => {
            const answer = await post(root.dataset.decide, {do: button.value});
            await load(query());
            say(answer.message, !answer.ok);
        });
    };

    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (form.matches("[data-edit]")) {
            event.preventDefault();
            save(form);
        } else if (form.matches("[data-move]")) {
            event.preventDefault();
            move(form.closest(".entry"), Number(event.submitter.dataset.by));
        } else if (form.matches("[data-out]")) {
            event.preventDefault();
            takeOut(form.closest(".entry"));
        } else if (form.id === "compose-options" && event.submitter?.id !== "to-confirm") {
            event.preventDefault();
            changed(0);
        }
    });

    document.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) {
            return;
        }
        const entry = event.target.closest(".entry");
        if (event.target.closest("[data-edit-link]")) {
            event.preventDefault();
            go(entry);
            edit(entry);
        } else if (event.target.closest("[data-edit-cancel]")) {
            event.preventDefault();
            load(query());
        } else if (entry && !event.target.closest("a, button, input, textarea, label")) {
            go(entry);
        }
    });

    document.addEventListener("keydown", (event) => {
        const field = event.target.closest("input, textarea, select");
        if (field) {
            if (field.form?.matches("[data-edit]")) {
                if (event.key === "Escape") {
                    if (unsaved()) {
                        say(root.dataset.unsaved, true);
                    } else {
                        load(query());
                    }
                } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
                    event.preventDefault();
                    field.form.requestSubmit();
                }
            }
            return;
        }
        if (event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) {
            return;
        }
        const by = {ArrowUp: -1, ArrowDown: 1}[event.key];
        if (event.altKey) {
            if (by && current()) {
                event.preventDefault();
                move(current(), by);
            }
            return;
        }
        const keys = {
            j: () => step(1),
            k: () => step(-1),
            ArrowDown: () => step(1),
            ArrowUp: () => step(-1),
            b: () => takeOut(current()),
            e: () => edit(current()),
            r: () => document.getElementById("desk-link").click(),
        };
        if (Object.hasOwn(keys, event.key) && !(by && event.target.closest("button, a, [tabindex='0']"))) {
            event.preventDefault();
            keys[event.key]();
        }
    });

    window.addEventListener("beforeunload", (event) => {
        if (unsaved()) {
            event.preventDefault();
        }
    });
}
