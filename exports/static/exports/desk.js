"use strict";
/* The review desk without reloads: keys, decisions shown at once and sent one after another, undo, the side panel.

   Everything here sends what the plain forms of the page send. A decision is drawn before it is answered; a
   refused one is drawn back from what the server says is there. Decisions wait in line, so that two quick ones
   about one row reach the server in the order they were made, the second with the version the first left. */
{
    const desk = document.querySelector("[data-desk]");
    const list = document.getElementById("rows");
    const panel = document.getElementById("desk-panel");
    const place = document.getElementById("panel-place");
    const toast = document.getElementById("toast");
    const toggle = document.getElementById("panel-toggle");
    const undoButton = document.getElementById("undo");
    const may = desk.dataset.mayDecide === "1";
    const token = () => document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
    const PANEL_KEPT = "pressroom-desk-panel";

    // --- saying what happened ---------------------------------------------------------------------

    let hides = 0;
    const say = (text, {bad = false, offer = ""} = {}) => {
        toast.replaceChildren(Object.assign(document.createElement("span"), {textContent: text}));
        if (offer) {
            toast.append(document.getElementById(offer).content.cloneNode(true));
        }
        toast.classList.toggle("bad", bad);
        toast.classList.add("shown");
        clearTimeout(hides);
        hides = setTimeout(() => toast.classList.remove("shown"), bad ? 9000 : 5000);
    };

    const tell = (counts) => {
        for (const [status, count] of Object.entries(counts ?? {})) {
            for (const pill of document.querySelectorAll(`[data-count="${status}"]`)) {
                if (pill.textContent !== count) {
                    pill.textContent = count;
                    pill.classList.remove("bumped");
                    void pill.offsetWidth;  // or the animation would not begin anew
                    pill.classList.add("bumped");
                }
            }
        }
    };

    // --- where one is -----------------------------------------------------------------------------

    const rows = () => list ? [...list.children] : [];
    const here = () => list?.querySelector(".row.here") ?? null;

    const go = (row, {focus = true} = {}) => {
        if (!row) {
            return;
        }
        here()?.classList.remove("here");
        for (const each of rows()) {
            each.removeAttribute("tabindex");
        }
        row.classList.add("here");
        row.tabIndex = -1;
        if (focus) {
            row.focus({preventScroll: true});
        }
        row.scrollIntoView({block: "nearest"});
        if (!panel.hidden && wide.matches) {
            show(row);
        }
    };

    const step = (by) => {
        const all = rows();
        const at = all.indexOf(here());
        go(all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]);
    };

    // --- decisions --------------------------------------------------------------------------------

    let line = Promise.resolve();
    let waiting = 0;

    const post = async (address, fields) => {
        const body = new URLSearchParams(fields);
        const headers = {Accept: "application/json", "X-CSRFToken": token()};
        const answer = await fetch(address, {method: "POST", headers, body, credentials: "same-origin"});
        if (answer.redirected || !answer.headers.get("Content-Type")?.includes("json")) {
            throw new Error(answer.redirected || answer.status === 403 ? "signed-out" : "no-answer");
        }
        return {ok: answer.ok, status: answer.status, ...await answer.json()};
    };

    const inLine = (work) => {
        waiting += 1;
        line = line.then(work).catch((error) => {
            say(error.message === "signed-out" ? desk.dataset.signedOut : desk.dataset.failed, {bad: true});
        }).finally(() => { waiting -= 1; });
        return line;
    };

    const inHand = new Map();  // row → decisions about it that are not answered yet
    const count = (key, by) => inHand.set(String(key), (inHand.get(String(key)) ?? 0) + by);

    const draw = (answers) => {
        for (const {key, version, html} of answers ?? []) {
            const old = document.getElementById(`row-${key}`);
            if (!old) {
                continue;
            }
            if (inHand.get(String(key)) > 0) {  // what is shown is newer than this answer; the next wish needs its version
                old.dataset.version = version ?? old.dataset.version;
                continue;
            }
            const fresh = new DOMParser().parseFromString(html, "text/html").querySelector(".row");
            const title = fresh.querySelector(".row-title");
            title.href = old.querySelector(".row-title").href;
            fresh.classList.toggle("moved", fresh.dataset.status !== desk.dataset.tab);
            const similar = old.querySelector(".similar-mark");  // only the whole page knows what is like what
            if (similar && !fresh.querySelector(".similar-mark")) {
                fresh.classList.add("similar");
                fresh.querySelector(".row-facts").append(similar);
            }
            const isHere = old.classList.contains("here");
            const focused = old.contains(document.activeElement) ? document.activeElement : null;
            old.replaceWith(fresh);
            if (isHere) {
                fresh.classList.add("here");
                fresh.tabIndex = -1;
            }
            if (focused?.dataset.to) {
                fresh.querySelector(`[data-to="${focused.dataset.to}"]`)?.focus({preventScroll: true});
            } else if (focused) {
                fresh.focus({preventScroll: true});
            }
        }
    };

    const sketch = (row, status) => {  // what the answer will most probably say
        row.classList.remove("is-" + row.dataset.status);
        row.classList.add("is-" + status, "waiting");
        row.classList.toggle("moved", status !== desk.dataset.tab);
        for (const deed of row.querySelectorAll(".deed[aria-pressed]")) {
            deed.setAttribute("aria-pressed", String(deed.dataset.to === status));
        }
        row.dataset.status = status;
    };

    const settle = (answer) => {
        draw(answer.rows);
        tell(answer.counts);
        if (undoButton && answer.undo !== undefined) {
            undoButton.disabled = !answer.undo;
        }
        if (!panel.hidden && answer.rows?.some((row) => String(row.key) === place.dataset.key) && !unsaved()) {
            load(place.dataset.key);
        }
    };

    const decide = (row, wish) => {
        if (!may || !row) {
            return;
        }
        const before = row.dataset.status;
        if (before === "exported" ? wish !== "restore" : wish === "restore") {
            return;
        }
        const to = wish === "restore" ? "restore" : before === wish ? "pending" : wish;
        const {key} = row.dataset;
        const was = row.cloneNode(true);
        sketch(row, to === "restore" ? "pending" : to);
        count(key, 1);
        inLine(async () => {
            const current = document.getElementById(`row-${key}`);
            let answer;
            try {
                answer = await post(desk.dataset.decide, {do: `${to} ${key}:${current?.dataset.version ?? row.dataset.version}`});
            } catch (error) {
                count(key, -1);
                was.classList.remove("here", "waiting");
                draw([{key, html: was.outerHTML}]);
                document.getElementById(`row-${key}`)?.classList.add("refused");
                throw error;
            }
            count(key, -1);
            settle(answer);
            if (!answer.ok && !answer.rows?.length) {
                draw([{key, html: was.outerHTML}]);
            }
            if (answer.ok) {
                say(answer.message, {offer: to === "restore" ? "" : "toast-undo"});
            } else {
                document.getElementById(`row-${key}`)?.classList.add("refused");
                say(answer.message, {bad: true});
            }
        });
    };

    const undo = () => may && inLine(async () => {
        const answer = await post(desk.dataset.undo, {});
        settle(answer);
        say(answer.message, {bad: !answer.ok});
        if (answer.ok && answer.rows?.length) {
            go(document.getElementById(`row-${answer.rows[0].key}`));
        }
    });

    const decideAndGoOn = (wish) => {
        const row = here() ?? rows()[0];
        decide(row, wish);
        const all = rows();
        const next = all[all.indexOf(row) + 1];
        go(next ?? row);
    };

    const takeBack = () => {
        const row = here();
        if (row?.dataset.status === "exported") {
            decideAndGoOn("restore");
        } else if (row && row.dataset.status !== "pending") {
            decideAndGoOn(row.dataset.status);
        } else {
            undo();
        }
    };

    // --- the panel --------------------------------------------------------------------------------

    const wide = matchMedia("(min-width: 1024px)");
    let asked = 0;

    const unsaved = () => {
        const form = place.querySelector("form[data-edit]");
        return Boolean(form) && [...form.elements].some((field) =>
            field.name && field.type !== "hidden" && field.value !== field.defaultValue);
    };

    const load = async (key, template) => {
        const mine = ++asked;
        place.dataset.key = key;
        const address = desk.dataset.panel.replace("/0/", `/${key}/`) + (template ? `?template=${encodeURIComponent(template)}` : "");
        try {
            const answer = await fetch(address, {credentials: "same-origin", cache: "no-store"});
            if (!answer.ok || answer.redirected) {
                throw new Error("no-answer");
            }
            const html = await answer.text();
            if (mine === asked) {  // a later row may have been asked for meanwhile
                place.innerHTML = html;
                panel.scrollTop = 0;
            }
        } catch {
            say(desk.dataset.failed, {bad: true});
        }
    };

    let soon = 0;
    const show = (row, {now = false} = {}) => {
        if (!row || (place.dataset.key === row.dataset.key && place.childElementCount)) {
            return;
        }
        if (unsaved()) {
            say(desk.dataset.unsaved, {bad: true, offer: "toast-drop"});
            return;
        }
        clearTimeout(soon);  // who runs down the list with j asks only for where they stop
        soon = setTimeout(() => load(row.dataset.key), now ? 0 : 120);
    };

    const open = (row) => {
        if (!row) {
            return;
        }
        panel.hidden = false;
        toggle.setAttribute("aria-expanded", "true");
        desk.classList.add("with-panel");
        show(row, {now: true});
        if (wide.matches) {
            sessionStorage.setItem(PANEL_KEPT, "1");
        }
    };

    const close = () => {
        if (unsaved()) {
            say(desk.dataset.unsaved, {bad: true, offer: "toast-drop"});
            return;
        }
        panel.hidden = true;
        delete place.dataset.key;
        place.replaceChildren();
        toggle.setAttribute("aria-expanded", "false");
        desk.classList.remove("with-panel");
        sessionStorage.removeItem(PANEL_KEPT);
        (here() ?? list)?.focus({preventScroll: true});
    };

    const edit = async () => {
        const row = here() ?? rows()[0];
        if (!row) {
            return;
        }
        open(row);
        for (let tries = 0; tries < 50; tries += 1) {
            const field = place.dataset.key === row.dataset.key && place.querySelector(`[data-key="${row.dataset.key}"] textarea[name=summary]`);
            if (field) {
                field.focus();
                field.setSelectionRange(field.value.length, field.value.length);
                return;
            }
            await new Promise((resolve) => setTimeout(resolve, 60));
        }
    };

    const save = (form) => inLine(async () => {
        form.setAttribute("aria-busy", "true");
        try {
            const answer = await post(form.action, new FormData(form));
            draw(answer.rows);
            if (form.isConnected) {
                place.innerHTML = answer.panel;
            }
            say(answer.message, {bad: !answer.ok});
            if (answer.ok) {
                here()?.focus({preventScroll: true});
            } else {
                (place.querySelector(".conflict, .form-error, .has-errors") ?? place).scrollIntoView({block: "nearest"});
            }
        } finally {
            form.removeAttribute("aria-busy");
        }
    });

    // --- hands ------------------------------------------------------------------------------------

    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (form.id === "desk-form") {
            event.preventDefault();
            const row = event.submitter?.closest(".row");
            go(row, {focus: false});
            decide(row, event.submitter.dataset.to);
        } else if (form.id === "undo-form") {
            event.preventDefault();
            undo();
        } else if (form.matches("[data-edit]")) {
            event.preventDefault();
            save(form);
        } else if (form.matches("[data-panel-template]")) {
            event.preventDefault();
        }
    });

    document.addEventListener("click", (event) => {
        if (event.target.closest(".toast-undo")) {
            undo();
            return;
        }
        if (event.target.closest(".toast-drop")) {
            place.querySelector("form[data-edit]")?.reset();
            toast.classList.remove("shown");
            here()?.focus({preventScroll: true});
            return;
        }
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) {
            return;
        }
        const title = event.target.closest(".row-title");
        const row = event.target.closest(".row");
        if (title) {
            event.preventDefault();
            go(row);
            open(row);
        } else if (row && !event.target.closest("a, button")) {
            go(row);
        } else if (event.target.closest("#panel-close")) {
            event.preventDefault();
            close();
        }
    });

    toggle.hidden = false;
    toggle.addEventListener("click", () => panel.hidden ? open(here() ?? rows()[0]) : close());

    place.addEventListener("change", (event) => {
        if (event.target.matches("[data-panel-template] select")) {
            load(place.dataset.key, event.target.value);
        }
    });

    for (const field of document.querySelectorAll("#desk-filters :is(select, input[type=date])")) {
        field.addEventListener("change", () => field.form.requestSubmit());
    }

    const leave = (link) => line.then(() => link?.click());  // what is decided here is sent first
    const keys = {
        j: () => step(1),
        k: () => step(-1),
        ArrowDown: () => step(1),
        ArrowUp: () => step(-1),
        x: () => decideAndGoOn("selected"),
        b: () => decideAndGoOn("backup"),
        d: () => decideAndGoOn("discarded"),
        u: takeBack,
        z: undo,
        p: () => panel.hidden ? open(here() ?? rows()[0]) : close(),
        Enter: () => open(here()),
        e: edit,
        n: () => leave(document.getElementById("page-next")),
        N: () => leave(document.getElementById("page-prev")),
        c: () => leave(document.getElementById("compose-link")),
        Escape: () => { if (!panel.hidden) { close(); } },
    };

    document.addEventListener("keydown", (event) => {
        const field = event.target.closest("input, textarea, select, [contenteditable]");
        if (field) {
            if (event.key === "Escape") {
                field.blur();
                here()?.focus({preventScroll: true});
            } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && field.form?.matches("[data-edit]")) {
                event.preventDefault();
                field.form.requestSubmit();
            }
            return;
        }
        if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("dialog") || document.querySelector("dialog[open]")) {
            return;
        }
        const onControl = event.target.closest("a, button, summary, [tabindex='0']");
        if (onControl && (event.key === "Enter" || event.key.startsWith("Arrow"))) {
            return;
        }
        if (/^[1-5]$/.test(event.key)) {
            leave(document.querySelector(`[data-tab-key="${event.key}"]`));
        } else if (Object.hasOwn(keys, event.key)) {
            event.preventDefault();
            keys[event.key]();
        }
    });

    // --- coming and going -------------------------------------------------------------------------

    document.querySelector(".desk-tab[aria-current]")?.scrollIntoView({block: "nearest", inline: "center"});

    window.addEventListener("beforeunload", (event) => {
        if (waiting || unsaved()) {
            event.preventDefault();
        }
    });

    if (rows().length) {
        go(rows()[0], {focus: document.activeElement === document.body});
        if (wide.matches && sessionStorage.getItem(PANEL_KEPT) && panel.hidden) {
            open(rows()[0]);
        } else if (!panel.hidden) {
            place.dataset.key = place.querySelector("[data-key]")?.dataset.key ?? "";
            go(document.getElementById(`row-${place.dataset.key}`) ?? rows()[0], {focus: false});
        }
    }

    setInterval(async () => {  // what others decide meanwhile
        if (document.hidden || waiting) {
            return;
        }
        try {
            const answer = await fetch(desk.dataset.counts, {headers: {Accept: "application/json"}, credentials: "same-origin", cache: "no-store"});
            if (answer.ok && !answer.redirected) {
                tell((await answer.json()).counts);
            }
        } catch {
            // the next one may come through
        }
    }, 15000);
}
