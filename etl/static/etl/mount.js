"use strict";
/* Looks, while one types, whether the place is there and what would change; the server draws the answer. */
{
    const form = document.getElementById("mount-form");
    const shown = document.getElementById("mount-check");
    const button = form?.querySelector("[data-mount]");
    const WAIT_MS = 350;

    let asked = 0;
    let soon = 0;

    const wish = () => {
        const fields = new URLSearchParams(new FormData(form));
        fields.delete("csrfmiddlewaretoken");
        fields.delete("seen");
        return fields;
    };

    const check = async () => {
        const mine = ++asked;
        shown.setAttribute("aria-busy", "true");
        try {
            const answer = await fetch(`${form.dataset.check}?${wish()}`, {headers: {"X-Part": "1"}, credentials: "same-origin", cache: "no-store"});
            const html = answer.ok && !answer.redirected ? await answer.text() : null;
            if (mine === asked && html !== null) {
                shown.innerHTML = html;
                button.disabled = !shown.querySelector("[name=seen]");
            }
        } catch {
            // what is shown stays; the form can still be checked by its button
        } finally {
            if (mine === asked) {
                shown.removeAttribute("aria-busy");
            }
        }
    };

    if (form && shown && button) {
        form.addEventListener("input", () => {
            button.disabled = true;  // what stands below is no longer about what one has typed
            clearTimeout(soon);
            soon = setTimeout(check, WAIT_MS);
        });
        if (form.elements.table.value && !shown.querySelector("[name=seen], .mount-faults")) {
            check();
        }
    }
}
