"""What the author of a strategy imports: the contract, the parts of a plan, and shared helpers."""

from __future__ import annotations

from lexigraft.core.grafting.needs import Need
from lexigraft.core.grafting.plan import Dense, Mix, Plan
from lexigraft.core.grafting.strategy import Body, InitContext, Scope, Strategy
from lexigraft.core.models.tables import Role

__all__ = ["Body", "Dense", "InitContext", "Mix", "Need", "Plan", "Role", "Scope", "Strategy"]
