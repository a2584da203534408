"""The columns of an EPW file: names, units, and the numbers that mean "not measured".

Source: EnergyPlus, Auxiliary Programs, "EnergyPlus Weather File (EPW) Data Dictionary".
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["FIELDS", "LEAST_FIELDS", "Field"]


@dataclass(frozen=True, slots=True)
class Field:
    """One column of an EPW file.

    Attributes:
        name: In our tables.
        unit: Of its values; empty where they have none.
        title: What the format calls it.
        kind: What its cells are.
        missing: The text of the value that means "not measured"; empty where there is none. Numbers are compared as
            numbers, and only this one is taken away: real files hold larger values.
    """

    name: str
    unit: str
    title: str
    kind: Literal["number", "whole", "text"] = "number"
    missing: str = ""


FIELDS: tuple[Field, ...] = (
    Field("year", "", "Year", "whole"),
    Field("month", "", "Month", "whole"),
    Field("day", "", "Day", "whole"),
    Field("hour", "", "Hour", "whole"),
    Field("minute", "", "Minute", "whole"),
    Field("data_flags", "", "Data Source and Uncertainty Flags", "text"),
    Field("dry_bulb_c", "°C", "Dry Bulb Temperature", missing="99.9"),
    Field("dew_point_c", "°C", "Dew Point Temperature", missing="99.9"),
    Field("relative_humidity_percent", "%", "Relative Humidity", missing="999"),
    Field("pressure_pa", "Pa", "Atmospheric Station Pressure", missing="999999"),
    Field("extraterrestrial_horizontal_wh_m2", "Wh/m2", "Extraterrestrial Horizontal Radiation", missing="9999"),
    Field("extraterrestrial_direct_normal_wh_m2", "Wh/m2", "Extraterrestrial Direct Normal Radiation", missing="9999"),
    Field("sky_infrared_wh_m2", "Wh/m2", "Horizontal Infrared Radiation Intensity", missing="9999"),
    Field("global_horizontal_wh_m2", "Wh/m2", "Global Horizontal Radiation", missing="9999"),
    Field("direct_normal_wh_m2", "Wh/m2", "Direct Normal Radiation", missing="9999"),
    Field("diffuse_horizontal_wh_m2", "Wh/m2", "Diffuse Horizontal Radiation", missing="9999"),
    Field("global_horizontal_lux", "lux", "Global Horizontal Illuminance", missing="999999"),
    Field("direct_normal_lux", "lux", "Direct Normal Illuminance", missing="999999"),
    Field("diffuse_horizontal_lux", "lux", "Diffuse Horizontal Illuminance", missing="999999"),
    Field("zenith_luminance_cd_m2", "cd/m2", "Zenith Luminance", missing="9999"),
    Field("wind_direction_deg", "deg", "Wind Direction", missing="999"),
    Field("wind_speed_m_s", "m/s", "Wind Speed", missing="999"),
    Field("total_sky_cover_tenths", "tenths", "Total Sky Cover", missing="99"),
    Field("opaque_sky_cover_tenths", "tenths", "Opaque Sky Cover", missing="99"),
    Field("visibility_km", "km", "Visibility", missing="9999"),
    Field("ceiling_height_m", "m", "Ceiling Height", missing="99999"),
    Field("present_weather_observation", "", "Present Weather Observation", missing="9"),
    Field("present_weather_codes", "", "Present Weather Codes", "text", "999999999"),
    Field("precipitable_water_mm", "mm", "Precipitable Water", missing="999"),
    Field("aerosol_optical_depth_thousandths", "thousandths", "Aerosol Optical Depth", missing="0.999"),
    Field("snow_depth_cm", "cm", "Snow Depth", missing="999"),
    Field("days_since_last_snow", "d", "Days Since Last Snow", missing="99"),
    Field("albedo", "", "Albedo", missing="999"),
    Field("liquid_precipitation_mm", "mm", "Liquid Precipitation Depth", missing="999"),
    Field("liquid_precipitation_h", "h", "Liquid Precipitation Quantity", missing="99"),
)

LEAST_FIELDS = 22
"""Up to the wind speed a simulation needs every column; files of older makers end somewhere after it."""
