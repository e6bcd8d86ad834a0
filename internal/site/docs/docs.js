// Shows the description of the API with Swagger UI. Nothing here talks to
// another host: there is no validator, and calls go to where the page came from.
"use strict";

const root = document.getElementById("docs");

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const show = (description) => {
  // Whatever name this server goes by elsewhere, it is tried out under this one.
  description.servers = [{ url: location.origin }];
  SwaggerUIBundle({
    domNode: root,
    spec: description,
    presets: [SwaggerUIBundle.presets.apis],
    validatorUrl: null,
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    persistAuthorization: false,
    queryConfigEnabled: false,
    // The bearer token that was entered is what counts, never a cookie that
    // another page of this host has left in the browser.
    requestInterceptor: (request) => Object.assign(request, { credentials: "omit" }),
  });
};

fetch(root.dataset.description, { credentials: "omit" })
  .then((answer) => {
    if (!answer.ok) {
      throw new Error(`status ${answer.status}`);
    }
    return answer.json();
  })
  .then(show)
  .catch((problem) => {
    root.firstElementChild.textContent = `The description could not be read (${problem.message}). Reload the page to try again.`;
  });
