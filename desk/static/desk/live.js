"use strict";
/* Moves live runs without a reload.

   A block marked data-live="<run address>" is asked for news with If-None-Match. Inside it
     data-live-field="counts.read"      shows a value of the answer (a <progress> takes it as its value,
                                        and data-live-max names the value that is its maximum),
     data-live-age="heartbeatAt"        shows how long ago that moment was,
     data-live-show="page"              hides an element while that value is empty,
     data-live-status                   shows the badge of the <template data-live-badge="status"> that fits; with a
                                        value, as in data-live-status="stepper", that of "stepper:status",
   and once the run has ended the page is loaded again, because tables below it have grown.
   An address that answers with HTML draws the inside of its block itself; data-live-over in it says that the run ended. */
{
    const FINAL = new Set(["completed", "partial", "partial_failure", "failed", "cancelled"]);
    const EVERY_MS = 2000;
    const LONGEST_MS = 60000;
    const language = document.documentElement.lang || "en";
    const numbers = new Intl.NumberFormat(language, {maximumFractionDigits: 1});
    const ages = new Intl.RelativeTimeFormat(language, {numeric: "always", style: "short"});

    const pick = (data, path) => path.split(".").reduce((value, key) => value?.[key], data);

    const write = (element, value) => {
        if (value === undefined) {
            return;
        }
        if (element instanceof HTMLProgressElement) {
            if (value !== null) {
                element.value = value;
            }
        } else {
            element.textContent = value === null ? "—" : typeof value === "number" ? numbers.format(value) : value;
        }
    };

    const tellAge = (element) => {
        if (!element.dateTime) {
            return;
        }
        const seconds = Math.max(0, Math.round((Date.now() - Date.parse(element.dateTime)) / 1000));
        element.textContent = seconds < 120 ? ages.format(-seconds, "second") : ages.format(-Math.round(seconds / 60), "minute");
    };

    const show = (block, run) => {
        for (const element of block.querySelectorAll("[data-live-status]")) {
            const name = element.dataset.liveStatus ? `${element.dataset.liveStatus}:${run.status}` : run.status;
            const badge = document.querySelector(`template[data-live-badge="${CSS.escape(name)}"]`);
            if (badge) {
                element.replaceChildren(badge.content.cloneNode(true));
            }
        }
        for (const element of block.querySelectorAll("[data-live-show]")) {
            element.hidden = !pick(run, element.dataset.liveShow);
        }
        for (const element of block.querySelectorAll("[data-live-field]")) {
            if (element.dataset.liveMax) {
                element.max = pick(run, element.dataset.liveMax) || 1;
            }
            write(element, pick(run, element.dataset.liveField));
        }
        for (const element of block.querySelectorAll("[data-live-age]")) {
            element.dateTime = pick(run, element.dataset.liveAge) ?? "";
            tellAge(element);
        }
    };

    const holdsOnlyElements = (element) => element.children.length > 0
        && [...element.childNodes].every((node) => node.nodeType === Node.ELEMENT_NODE || !node.textContent.trim());

    // changes as little as it can, so that whoever stands on a link in a table goes on standing there
    const draw = (old, fresh) => {
        if (old.isEqualNode(fresh)) {
            return;
        }
        if (!old.cloneNode(false).isEqualNode(fresh.cloneNode(false)) || !drawInside(old, fresh)) {
            old.replaceWith(fresh);
        }
    };

    const drawInside = (old, fresh) => {
        const now = [...fresh.children];
        if (old.children.length !== now.length || !holdsOnlyElements(old) || !holdsOnlyElements(fresh)) {
            return false;
        }
        [...old.children].forEach((child, at) => draw(child, now[at]));
        return true;
    };

    // whether the run has ended; a redirect leads to the login, not to news
    const take = async (block, answer) => {
        if (answer.headers.get("Content-Type")?.startsWith("text/html")) {
            if (answer.redirected) {
                throw new Error("live: signed out");
            }
            const fresh = block.cloneNode(false);
            fresh.innerHTML = await answer.text();
            if (!drawInside(block, fresh)) {
                block.replaceChildren(...fresh.childNodes);
            }
            block.querySelectorAll("[data-live-age]").forEach(tellAge);
            return block.querySelector("[data-live-over]") !== null;
        }
        const run = await answer.json();
        show(block, run);
        return FINAL.has(run.status);
    };

    const pause = (answer, failures) => {
        const asked = Number(answer?.headers.get("Retry-After")) * 1000;
        const slower = EVERY_MS * 2 ** Math.min(failures, 5);
        return Math.min(LONGEST_MS, Math.max(EVERY_MS, slower, Number.isFinite(asked) ? asked : 0));
    };

    const visible = () => document.hidden
        ? new Promise((resolve) => document.addEventListener("visibilitychange", resolve, {once: true}))
        : Promise.resolve();

    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

    const follow = async (block) => {
        let etag = "";
        let failures = 0;
        for (;;) {
            await visible();
            let answer = null;
            try {
                const headers = {Accept: "application/json"};
                if (etag) {
                    headers["If-None-Match"] = etag;
                }
                answer = await fetch(block.dataset.live, {headers, credentials: "same-origin", cache: "no-store"});
            } catch {
                failures += 1;
            }
            if (answer?.ok) {
                failures = 0;
                etag = answer.headers.get("ETag") ?? "";
                if (await take(block, answer)) {
                    return;
                }
            } else if (answer && [401, 403, 404].includes(answer.status)) {
                throw new Error(`live: ${answer.status}`);  // it will not get better by asking again
            } else if (answer && answer.status !== 304) {
                failures += 1;
            }
            await sleep(pause(answer, failures));
        }
    };

    const blocks = [...document.querySelectorAll("[data-live]")];
    for (const block of blocks) {
        // a page that already shows the end is never loaded again: it would do so forever
        follow(block).then(() => window.location.reload(), () => block.classList.add("live-lost"));
    }
    if (blocks.length) {
        setInterval(() => document.querySelectorAll("[data-live-age]").forEach(tellAge), 1000);
    }
}
