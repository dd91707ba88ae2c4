"use strict";

// Swagger UI on the description of this very server, signed in as whoever looks at the page.
{
    const place = document.getElementById("swagger-ui");
    const token = place.querySelector("[name=csrfmiddlewaretoken]").value;

    const withToken = (request) => {
        if (new URL(request.url, location.href).origin === location.origin) {
            request.headers["X-CSRFToken"] = token;
        }
        return request;
    };

    SwaggerUIBundle({
        url: place.dataset.schema,
        domNode: place,
        deepLinking: true,
        validatorUrl: "none",
        defaultModelsExpandDepth: 0,
        requestInterceptor: withToken,
    });

    // Django's theme switch writes data-theme; Swagger UI wants a class
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => {
        const theme = root.dataset.theme;
        root.classList.toggle("dark-mode", theme === "dark" || (theme !== "light" && system.matches));
    };
    new MutationObserver(follow).observe(root, { attributeFilter: ["data-theme"] });
    system.addEventListener("change", follow);
    follow();
}
