// Rings every so many seconds, but not for a page that nobody sees: that one rings when it is seen again.
// Nor while another page is on its way: a ring says under which page it came, and the server, asked
// for both, would run the page that was left and lead the browser back to it. Nor while the server
// runs: a ring that meets the end of a run can tear it off, see pulse.py. One may be on its way
// already, so a ring says which run is drawn, and the marks of the page are compared when all rests.
const ON_ITS_WAY_MS = 2000
const LOOK_MS = 500
const LOOKS_AFTER_ASKING = 20
export default function ({ parentElement, data, setTriggerValue }) {
  parentElement.stopClock?.()
  parentElement.seenAt ??= location.pathname
  parentElement.torn ??= 0
  const idle = () => {
    if (location.pathname !== parentElement.seenAt) {
      parentElement.seenAt = location.pathname
      parentElement.leftAt = performance.now()
    }
    if (document.hidden || performance.now() - (parentElement.leftAt ?? -Infinity) < ON_ITS_WAY_MS) return false
    const app = document.querySelector("[data-test-script-state]")
    return !app || app.dataset.testScriptState === "notRunning"
  }
  const isWhole = () => {
    const marks = [...document.querySelectorAll("[data-run-begun], [data-run-ended]")]
    return marks.length === 2 && marks.every(({ dataset }) => Number(dataset.runBegun ?? dataset.runEnded) === data.run)
  }
  const ring = () => idle() && isWhole() && setTriggerValue("ring", data.run)
  const look = () => {
    if (!idle()) return
    if (isWhole()) parentElement.torn = 0
    else if (++parentElement.torn === data.looks) {
      parentElement.torn = -LOOKS_AFTER_ASKING
      setTriggerValue("torn", true)
    }
  }
  const clocks = [setInterval(look, LOOK_MS)]
  if (data.seconds) {
    clocks.push(setInterval(ring, 1000 * data.seconds))
    document.addEventListener("visibilitychange", ring)
  }
  return (parentElement.stopClock = () => {
    clocks.forEach(clearInterval)
    document.removeEventListener("visibilitychange", ring)
  })
}
