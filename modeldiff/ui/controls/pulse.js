// Rings every so many seconds, but not for a page that nobody sees: that one rings when it is seen again.
export default function ({ parentElement, data, setTriggerValue }) {
  parentElement.stopClock?.()
  if (!data.seconds) return
  const ring = () => { if (!document.hidden) setTriggerValue("ring", true) }
  const clock = setInterval(ring, 1000 * data.seconds)
  document.addEventListener("visibilitychange", ring)
  return (parentElement.stopClock = () => {
    clearInterval(clock)
    document.removeEventListener("visibilitychange", ring)
  })
}
