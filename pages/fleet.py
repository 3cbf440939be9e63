"""Fleet: what one base became in many targets, a row a pair, from kept results."""

from modeldiff.ui.fleet.fleet_view import fleet_view
from modeldiff.ui.session.entry_guard import enter

enter("fleet")
fleet_view()
