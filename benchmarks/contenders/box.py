"""The smallest building that is worth a year: one room with a window, held between two temperatures."""

from typing import Any

_SIZE_M, _HEIGHT_M = 8.0, 3.0
_CORNERS = {
    "South": [(0, 0, 1), (0, 0, 0), (1, 0, 0), (1, 0, 1)],
    "East": [(1, 0, 1), (1, 0, 0), (1, 1, 0), (1, 1, 1)],
    "North": [(1, 1, 1), (1, 1, 0), (0, 1, 0), (0, 1, 1)],
    "West": [(0, 1, 1), (0, 1, 0), (0, 0, 0), (0, 0, 1)],
    "Floor": [(1, 1, 0), (1, 0, 0), (0, 0, 0), (0, 1, 0)],
    "Roof": [(0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 1, 1)],
}


def make_box() -> dict[str, Any]:
    """Return it as epJSON; its heat comes and goes by an ideal system."""
    return {
        "Version": {"Version 1": {"version_identifier": "25.2"}},
        "Timestep": {"Timestep 1": {"number_of_timesteps_per_hour": 6}},
        "Building": {"Box": {"terrain": "Suburbs", "solar_distribution": "FullExterior"}},
        "GlobalGeometryRules": {
            "Rules": {
                "starting_vertex_position": "UpperLeftCorner",
                "vertex_entry_direction": "Counterclockwise",
                "coordinate_system": "Relative",
            }
        },
        "SimulationControl": {"Control": {"run_simulation_for_weather_file_run_periods": "Yes"}},
        "RunPeriod": {
            "Year": {"begin_month": 1, "begin_day_of_month": 1, "end_month": 12, "end_day_of_month": 31},
        },
        **_envelope(),
        **_use(),
        **_system(),
        "Output:Variable": {
            str(number): {"key_value": "*", "variable_name": name, "reporting_frequency": "Hourly"}
            for number, name in enumerate(
                ("Zone Mean Air Temperature", "Zone Ideal Loads Supply Air Total Heating Rate")
            )
        },
        "Output:Table:SummaryReports": {"Reports": {"reports": [{"report_name": "AllSummary"}]}},
        "Output:SQLite": {"SQLite": {"option_type": "SimpleAndTabular"}},
    }


def _envelope() -> dict[str, Any]:
    window = [(0.2, 0, 0.8), (0.2, 0, 0.3), (0.8, 0, 0.3), (0.8, 0, 0.8)]
    return {
        "Material": {
            "Mass": {
                "roughness": "MediumRough",
                "thickness": 0.2,
                "conductivity": 0.8,
                "density": 1800.0,
                "specific_heat": 840.0,
            }
        },
        "Material:NoMass": {"Insulation": {"roughness": "MediumRough", "thermal_resistance": 3.0}},
        "WindowMaterial:SimpleGlazingSystem": {"Glass": {"u_factor": 1.4, "solar_heat_gain_coefficient": 0.5}},
        "Construction": {
            "Wall": {"outside_layer": "Insulation", "layer_2": "Mass"},
            "Window": {"outside_layer": "Glass"},
        },
        "Zone": {"Room": {}},
        "BuildingSurface:Detailed": {name: _surface(name, corners) for name, corners in _CORNERS.items()},
        "FenestrationSurface:Detailed": {
            "South window": {
                "surface_type": "Window",
                "construction_name": "Window",
                "building_surface_name": "South",
                "number_of_vertices": len(window),
                **{
                    f"vertex_{number}_{axis}_coordinate": share * size
                    for number, corner in enumerate(window, 1)
                    for axis, share, size in zip("xyz", corner, (_SIZE_M, _SIZE_M, _HEIGHT_M), strict=True)
                },
            }
        },
    }


def _surface(name: str, corners: list[tuple[int, int, int]]) -> dict[str, Any]:
    is_floor = name == "Floor"
    return {
        "surface_type": name if name in {"Floor", "Roof"} else "Wall",
        "construction_name": "Wall",
        "zone_name": "Room",
        "outside_boundary_condition": "Ground" if is_floor else "Outdoors",
        "sun_exposure": "NoSun" if is_floor else "SunExposed",
        "wind_exposure": "NoWind" if is_floor else "WindExposed",
        "vertices": [
            {
                "vertex_x_coordinate": x * _SIZE_M,
                "vertex_y_coordinate": y * _SIZE_M,
                "vertex_z_coordinate": z * _HEIGHT_M,
            }
            for x, y, z in corners
        ],
    }


def _use() -> dict[str, Any]:
    values = {"Always": 1.0, "Heat to": 20.0, "Cool to": 26.0, "Both": 4.0}
    return {
        "Schedule:Constant": {name: {"hourly_value": value} for name, value in values.items()},
        "Lights": {
            "Lights": {
                "zone_or_zonelist_or_space_or_spacelist_name": "Room",
                "schedule_name": "Always",
                "design_level_calculation_method": "Watts/Area",
                "watts_per_floor_area": 8.0,
            }
        },
        "ZoneInfiltration:DesignFlowRate": {
            "Leaks": {
                "zone_or_zonelist_or_space_or_spacelist_name": "Room",
                "schedule_name": "Always",
                "design_flow_rate_calculation_method": "AirChanges/Hour",
                "air_changes_per_hour": 0.3,
            }
        },
    }


def _system() -> dict[str, Any]:
    return {
        "ThermostatSetpoint:DualSetpoint": {
            "Bounds": {
                "heating_setpoint_temperature_schedule_name": "Heat to",
                "cooling_setpoint_temperature_schedule_name": "Cool to",
            }
        },
        "ZoneControl:Thermostat": {
            "Thermostat": {
                "zone_or_zonelist_name": "Room",
                "control_type_schedule_name": "Both",
                "control_1_object_type": "ThermostatSetpoint:DualSetpoint",
                "control_1_name": "Bounds",
            }
        },
        "ZoneHVAC:IdealLoadsAirSystem": {"Ideal": {"zone_supply_air_node_name": "Supply"}},
        "ZoneHVAC:EquipmentList": {
            "Equipment": {
                "equipment": [
                    {
                        "zone_equipment_object_type": "ZoneHVAC:IdealLoadsAirSystem",
                        "zone_equipment_name": "Ideal",
                        "zone_equipment_cooling_sequence": 1,
                        "zone_equipment_heating_or_no_load_sequence": 1,
                    }
                ]
            }
        },
        "ZoneHVAC:EquipmentConnections": {
            "Connections": {
                "zone_name": "Room",
                "zone_conditioning_equipment_list_name": "Equipment",
                "zone_air_inlet_node_or_nodelist_name": "Supply",
                "zone_air_node_name": "Air",
                "zone_return_air_node_or_nodelist_name": "Return",
            }
        },
    }
