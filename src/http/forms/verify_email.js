import { runLink } from "/form.js";

runLink({
  path: "/auth/verify-email",
  intro: "Is this e-mail address yours, and have you opened an account with it?",
  body: () => ({}),
  done: "Done. You can sign in now.",
  missing: "If you can sign in, all is well. Otherwise ask for another link.",
});
