import { runLink, tell } from "/form.js";

runLink({
  path: "/auth/password/reset",
  intro: "Choose a new password. All your sessions end with it.",
  body: (fields) => {
    if (fields.get("new_password") === fields.get("repeated")) {
      return { new_password: fields.get("new_password") };
    }
    tell("The two passwords are not the same.");
    return null;
  },
  done: "Done. Sign in with your new password.",
  missing: "Ask for a new one.",
});
