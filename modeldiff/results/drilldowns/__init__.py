"""The kinds of drill-downs, one a module, and their registry.

A further one is a module here that describes it as a ``DrillDownKind`` (one line in
``registry.py`` names it) and a view of its result in ``modeldiff.ui.drilldown`` (one line in
``views.py``). Jobs, store and pages take it from there.
"""
