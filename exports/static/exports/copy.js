"use strict";
/* A button that copies a text: data-copy names the element that holds it. */
for (const button of document.querySelectorAll("[data-copy]")) {
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
        const source = document.getElementById(button.dataset.copy);
        try {
            await navigator.clipboard.writeText(source.textContent);
        } catch {  // plain http on another machine, or not allowed: mark it, so that one key copies it
            getSelection().selectAllChildren(source);
            document.execCommand("copy");
        }
        button.textContent = button.dataset.copied;
        setTimeout(() => { button.textContent = label; }, 2000);
    });
}
