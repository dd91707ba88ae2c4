"use strict";
/* Buttons that change something: ask in a dialog instead of on a page of its own, and count one click once. */
{
    const ask = (form, submitter) => {
        const dialog = document.getElementById("confirm-template").content.cloneNode(true).firstElementChild;
        dialog.querySelector("h2").textContent = submitter.textContent.trim();
        dialog.querySelector("p").textContent = form.dataset.confirm;
        const yes = dialog.querySelector("[value=yes]");
        yes.textContent = submitter.textContent.trim();
        yes.classList.toggle("do-danger", submitter.classList.contains("do-danger"));
        document.body.append(dialog);
        dialog.addEventListener("close", () => {
            dialog.remove();
            if (dialog.returnValue === "yes") {
                const confirmed = Object.assign(document.createElement("input"), {type: "hidden", name: "confirmed", value: "1"});
                form.append(confirmed);
                form.requestSubmit(submitter);
            }
        });
        dialog.showModal();
    };

    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (!(form instanceof HTMLFormElement) || !form.matches("form.do, .confirm-page form")) {
            return;
        }
        if (form.dataset.confirm && !form.elements.confirmed) {
            event.preventDefault();
            ask(form, event.submitter);
        } else if (form.dataset.sent) {
            event.preventDefault();
        } else {
            form.dataset.sent = "1";
            event.submitter?.setAttribute("aria-busy", "true");
        }
    });

    // back from the cache the page must be usable again
    window.addEventListener("pageshow", () => {
        for (const form of document.querySelectorAll("form[data-sent]")) {
            delete form.dataset.sent;
            form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
        }
    });

    // menus made of details do not close by themselves when one clicks elsewhere or presses Escape
    document.addEventListener("click", (event) => {
        for (const open of document.querySelectorAll(".phone-nav[open], .filter[open]")) {
            if (!open.contains(event.target)) {
                open.open = false;
            }
        }
    });
    document.addEventListener("keydown", (event) => {
        const open = event.key === "Escape" && document.querySelector(".phone-nav[open], .filter[open]");
        if (open) {
            open.open = false;
            open.querySelector("summary").focus();
        }
    });
}
