// What the search ranks first: the words of `search.toml`, the exact name of an object, titles, and then
// pages that say how to do something before pages that explain, and the records of decisions last.
"use strict";

const ROOMS = { "how-to": 12, tutorial: 6, reference: 4, examples: 2, explanation: 2, index: -60, decisions: -200 };

var Scorer = {
  score: ([page, , , , score]) => score + (ROOMS[page.split("/")[0]] ?? 0),
  objNameMatch: 40,
  objPartialMatch: 2,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 50,
  partialTitle: 25,
  term: 5,
  partialTerm: 2,
};
