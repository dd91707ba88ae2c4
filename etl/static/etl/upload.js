"use strict";
/* Files by drag and drop, added to those chosen before; each is listed, and can be taken off the list again.

   The file input of the form stays what is sent, so the page works the same without this. */
{
    const form = document.getElementById("upload-form");
    const input = form?.querySelector("input[type=file]");
    const drop = form?.querySelector("[data-drop]");
    const list = form?.querySelector("[data-chosen]");

    const sizes = new Intl.NumberFormat(document.documentElement.lang || "en", {maximumFractionDigits: 1});
    const sizeOf = (bytes) => bytes < 1e6 ? `${sizes.format(bytes / 1e3)} kB` : `${sizes.format(bytes / 1e6)} MB`;

    const put = (files) => {
        const transfer = new DataTransfer();
        files.forEach((file) => transfer.items.add(file));
        input.files = transfer.files;
        draw();
    };

    const piece = (kind, text) => Object.assign(document.createElement("span"), {className: kind, textContent: text});

    const draw = () => {
        const files = [...input.files];
        list.replaceChildren(...files.map((file, place) => {
            const row = document.createElement("li");
            row.append(piece("name", file.name), piece("size", sizeOf(file.size)));
            if (file.size > Number(form.dataset.mostBytes)) {
                row.append(piece("bad", list.dataset.tooLong));
            }
            const remove = Object.assign(document.createElement("button"), {type: "button", textContent: list.dataset.remove});
            remove.setAttribute("aria-label", `${list.dataset.remove}: ${file.name}`);
            remove.addEventListener("click", () => put(files.filter((_each, at) => at !== place)));
            row.append(remove);
            return row;
        }));
        if (files.length > Number(form.dataset.mostFiles)) {
            const row = document.createElement("li");
            row.append(piece("bad", list.dataset.tooMany));
            list.prepend(row);
        }
    };

    if (input && drop) {
        drop.hidden = false;
        let before = [];
        input.addEventListener("click", () => {
            before = [...input.files];
        });
        input.addEventListener("change", () => put([...before, ...input.files]));
        for (const name of ["dragenter", "dragover"]) {
            form.addEventListener(name, (event) => {
                if (event.dataTransfer?.types.includes("Files")) {
                    event.preventDefault();
                    drop.classList.add("over");
                }
            });
        }
        form.addEventListener("dragleave", (event) => {
            if (!form.contains(event.relatedTarget)) {
                drop.classList.remove("over");
            }
        });
        form.addEventListener("drop", (event) => {
            if (event.dataTransfer?.files.length) {
                event.preventDefault();
                drop.classList.remove("over");
                put([...input.files, ...event.dataTransfer.files]);
            }
        });
    }
}
