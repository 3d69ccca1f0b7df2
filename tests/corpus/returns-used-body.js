// A handler that returns a Response whose body was read.
export default { async fetch() { const answer = new Response("x"); await answer.text(); return answer; } };
