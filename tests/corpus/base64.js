// atob, btoa, and what atob refuses.
export default {
  fetch() {
    let said;
    try { atob("*"); } catch (error) { said = error.name; }
    return Response.json([btoa("data"), atob("ZGF0YQ=="), said]);
  },
};
