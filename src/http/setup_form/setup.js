"use strict";

const form = document.getElementById("form");
const told = document.getElementById("told");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

function tell(text) {
  told.textContent = text;
}

async function begin() {
  const answer = await fetch("/api/v1/setup");
  if (!answer.ok) {
    tell("The server does not answer. Try again shortly.");
  } else if (!(await answer.json()).needed) {
    tell("This vault is set up already.");
  } else if (!token) {
    tell("Open the whole setup link that the server printed: its last part is missing here.");
  } else {
    tell("Who administers this vault?");
    form.hidden = false;
  }
}

async function submit() {
  const fields = new FormData(form);
  const body = { token, email: fields.get("email"), password: fields.get("password") };
  if (fields.get("display_name").trim()) {
    body.display_name = fields.get("display_name");
  }
  const answer = await fetch("/api/v1/setup", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (answer.status === 201) {
    form.hidden = true;
    history.replaceState(null, "", "/setup");
    tell("Done. You can sign in now.");
    return;
  }
  const problem = await answer.json();
  if (answer.status === 404) {
    form.hidden = true;
    tell("This vault is set up already.");
  } else if (answer.status === 401) {
    tell("This setup link is not valid any more. Restart the server, or run `docuvault setup-link`, for a new one.");
  } else {
    tell((problem.errors || []).map((error) => error.message).join(" ") || problem.detail);
  }
}

// One request at a time: the link is good for one administrator.
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  tell("One moment…");
  await submit().catch(() => tell("The server does not answer. Try again shortly."));
  button.disabled = false;
});

begin().catch(() => tell("The server does not answer. Try again shortly."));
