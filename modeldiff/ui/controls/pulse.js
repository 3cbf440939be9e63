// Rings every so many seconds, but not for a page that nobody sees: that one rings when it is seen again.
// Nor while another page is on its way: a ring says under which page it came, and the server, asked
// for both, would run the page that was left and lead the browser back to it.
const ON_ITS_WAY_MS = 2000
export default function ({ parentElement, data, setTriggerValue }) {
  parentElement.stopClock?.()
  if (!data.seconds) return
  parentElement.seenAt ??= location.pathname
  const ring = () => {
    if (location.pathname !== parentElement.seenAt) {
      parentElement.seenAt = location.pathname
      parentElement.leftAt = performance.now()
    }
    if (document.hidden || performance.now() - (parentElement.leftAt ?? -Infinity) < ON_ITS_WAY_MS) return
    setTriggerValue("ring", true)
  }
  const clock = setInterval(ring, 1000 * data.seconds)
  document.addEventListener("visibilitychange", ring)
  return (parentElement.stopClock = () => {
    clearInterval(clock)
    document.removeEventListener("visibilitychange", ring)
  })
}
