"use strict";

// The days of the calendar are one stop of the Tab key; arrows move between days and weeks, Page Up and Page Down between
// months. Without this script, each day is a stop.
(() => {
  const calendar = document.querySelector(".calendar");
  if (!calendar) return;
  const years = [...calendar.querySelectorAll(".months")].reverse(); // the newest comes first
  const tables = years.flatMap((year) => [...year.querySelectorAll("table")]);
  const months = tables.filter((month) => month.querySelector("td > a"));
  const days = months.flatMap((month) => [...month.querySelectorAll("td > a")]);
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
  let current = days.at(-1);

  function target(key) {
    const place = days.indexOf(current);
    if (key in steps) return days[place + steps[key]];
    if (key === "Home") return days[0];
    if (key === "End") return days.at(-1);
    if (key === "PageUp" || key === "PageDown") {
      const month = months.indexOf(current.closest("table")) + (key === "PageUp" ? -1 : 1);
      return months[month]?.querySelector("td > a");
    }
    return undefined;
  }

  function makeCurrent(day) {
    current.tabIndex = -1;
    current = day;
    current.tabIndex = 0;
  }

  for (const day of days) day.tabIndex = -1;
  if (current) current.tabIndex = 0;
  calendar.addEventListener("focusin", (event) => {
    if (days.includes(event.target)) makeCurrent(event.target);
  });
  calendar.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const day = target(event.key);
    if (!day) return;
    event.preventDefault();
    day.focus();
  });
})();
