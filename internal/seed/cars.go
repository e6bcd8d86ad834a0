package seed

import "github.com/ridecopilot/ridecopilot/internal/fixed"

// car is a model that ride-hailing drivers in Romania use.
type car struct {
	make, model  string
	body         string
	seats, doors int
	from, to     int // model years; to is 0 while it is still made
	price        int // EUR, new
	weight       int // how often it is advertised
	trims        []trim
}

// trim is a variant of a car.
type trim struct {
	version, engine, fuel string
	hp                    int
	transmission          string
	gears                 int          // 0 where there are none to count
	consumption           fixed.Amount // litres or kWh per 100 km, in the city
	from                  int          // first model year, 0 for the car's
	extra                 int          // EUR on the price of the car
	to                    int          // last model year, 0 for the car's
}

// Words of the posts, as Romanian drivers write them.
const (
	petrol   = "Benzină"
	diesel   = "Motorină"
	lpg      = "Benzină + GPL"
	hybrid   = "Hibrid"
	plugIn   = "Plug-in hybrid"
	electric = "Electric"

	manual    = "Manuală"
	automatic = "Automată"

	sedan, hatchback, estate, suv, van = "Sedan", "Hatchback", "Break", "SUV", "Monovolum"
)

var cars = []car{
	{"Dacia", "Logan", sedan, 5, 4, 2013, 0, 13500, 12, []trim{
		{"Laureate", "1.2 16V", lpg, 75, manual, 5, 920, 0, -2500, 2016},
		{"Prestige 0.9 TCe", "0.9 TCe", petrol, 90, manual, 5, 680, 0, -1500, 2020},
		{"Laureate 1.5 dCi", "1.5 Blue dCi", diesel, 95, manual, 5, 510, 0, -500, 2020},
		{"Comfort ECO-G", "1.0 TCe ECO-G", lpg, 100, manual, 6, 850, 2021, 500, 0},
		{"Expression CVT", "1.0 TCe", petrol, 90, automatic, 0, 640, 2021, 1500, 0},
	}},
	{"Dacia", "Sandero", hatchback, 5, 5, 2013, 0, 13800, 7, []trim{
		{"Stepway 0.9 TCe", "0.9 TCe", petrol, 90, manual, 5, 690, 0, -500, 2020},
		{"Stepway ECO-G", "1.0 TCe ECO-G", lpg, 100, manual, 6, 870, 2021, 1500, 0},
	}},
	{"Dacia", "Jogger", estate, 7, 5, 2022, 0, 18500, 6, []trim{
		{"Expression ECO-G", "1.0 TCe ECO-G", lpg, 100, manual, 6, 880, 0, 0, 0},
		{"Extreme Hybrid 140", "1.6 Hybrid", hybrid, 140, automatic, 6, 490, 2023, 6000, 0},
	}},
	{"Dacia", "Spring", hatchback, 4, 5, 2021, 0, 18000, 4, []trim{
		{"Comfort Plus", "Electric 45", electric, 45, automatic, 1, 1390, 0, 0, 0},
		{"Extreme", "Electric 65", electric, 65, automatic, 1, 1450, 2023, 1500, 0},
	}},
	{"Dacia", "Duster", suv, 5, 5, 2018, 0, 20500, 3, []trim{
		{"Prestige dCi", "1.5 Blue dCi", diesel, 115, manual, 6, 560, 0, 0, 0},
		{"Journey ECO-G", "1.0 TCe ECO-G", lpg, 100, manual, 6, 930, 2021, -1000, 0},
	}},
	{"Škoda", "Octavia", estate, 5, 5, 2013, 0, 28500, 9, []trim{
		{"Ambition 1.6 TDI", "1.6 TDI", diesel, 115, manual, 5, 540, 0, -3000, 2020},
		{"Style 2.0 TDI DSG", "2.0 TDI", diesel, 150, automatic, 7, 560, 0, 2500, 0},
		{"Style 1.5 TSI", "1.5 TSI", petrol, 150, manual, 6, 690, 2018, 0, 0},
		{"Ambition 1.5 G-Tec", "1.5 TGI G-Tec", "CNG", 130, automatic, 7, 410, 2019, 500, 0},
	}},
	{"Škoda", "Superb", sedan, 5, 5, 2015, 0, 38000, 5, []trim{
		{"Style 2.0 TDI DSG", "2.0 TDI", diesel, 150, automatic, 7, 590, 0, 0, 0},
		{"L&K 2.0 TDI DSG", "2.0 TDI", diesel, 190, automatic, 7, 640, 0, 6000, 0},
		{"iV Ambition", "1.4 TSI PHEV", plugIn, 218, automatic, 6, 390, 2020, 4000, 0},
	}},
	{"Škoda", "Fabia", hatchback, 5, 5, 2015, 0, 18500, 4, []trim{
		{"Ambition 1.0 TSI", "1.0 TSI", petrol, 95, manual, 5, 600, 2017, 0, 0},
		{"Style 1.0 TSI DSG", "1.0 TSI", petrol, 110, automatic, 7, 640, 2017, 2000, 0},
	}},
	{"Toyota", "Corolla", sedan, 5, 4, 2019, 0, 27500, 10, []trim{
		{"Hybrid Dynamic", "1.8 Hybrid", hybrid, 122, automatic, 0, 410, 0, 0, 0},
		{"Hybrid Executive", "1.8 Hybrid", hybrid, 140, automatic, 0, 420, 2023, 2500, 0},
	}},
	{"Toyota", "Corolla Touring Sports", estate, 5, 5, 2019, 0, 29000, 6, []trim{
		{"Hybrid Business", "1.8 Hybrid", hybrid, 122, automatic, 0, 430, 0, 0, 0},
		{"Hybrid Style", "2.0 Hybrid", hybrid, 184, automatic, 0, 470, 0, 3500, 0},
	}},
	{"Toyota", "Prius", hatchback, 5, 5, 2012, 2022, 30000, 5, []trim{
		{"Sol", "1.8 Hybrid", hybrid, 136, automatic, 0, 410, 0, -3000, 2015},
		{"Executive", "1.8 Hybrid", hybrid, 122, automatic, 0, 380, 2016, 0, 0},
	}},
	{"Toyota", "Prius+", van, 7, 5, 2012, 2021, 32000, 2, []trim{
		{"Sol", "1.8 Hybrid", hybrid, 136, automatic, 0, 480, 0, 0, 0},
	}},
	{"Toyota", "Camry", sedan, 5, 4, 2019, 2024, 40000, 3, []trim{
		{"Hybrid Exclusive", "2.5 Hybrid", hybrid, 218, automatic, 0, 510, 0, 0, 0},
	}},
	{"Hyundai", "Ioniq", hatchback, 5, 5, 2016, 2022, 27000, 4, []trim{
		{"Hybrid Style", "1.6 GDI Hybrid", hybrid, 141, automatic, 6, 430, 0, 0, 0},
		{"Electric Premium", "Electric 38 kWh", electric, 136, automatic, 1, 1380, 2019, 7000, 0},
	}},
	{"Hyundai", "i30", hatchback, 5, 5, 2017, 0, 22500, 3, []trim{
		{"Comfort 1.0 T-GDI", "1.0 T-GDI", petrol, 120, manual, 6, 660, 0, 0, 0},
		{"Highway 1.6 CRDi", "1.6 CRDi", diesel, 116, automatic, 7, 540, 0, 2500, 0},
	}},
	{"Renault", "Mégane", sedan, 5, 4, 2016, 2024, 21500, 6, []trim{
		{"Intens 1.5 dCi", "1.5 Blue dCi", diesel, 115, manual, 6, 500, 0, 0, 0},
		{"Intens EDC", "1.5 Blue dCi", diesel, 115, automatic, 7, 520, 0, 1800, 0},
		{"Zen TCe", "1.3 TCe", petrol, 140, manual, 6, 690, 2018, -500, 0},
	}},
	{"Renault", "Clio", hatchback, 5, 5, 2013, 0, 17800, 5, []trim{
		{"Zen 0.9 TCe", "0.9 TCe", petrol, 90, manual, 5, 620, 0, -1500, 2019},
		{"Life 1.5 dCi", "1.5 dCi", diesel, 90, manual, 5, 460, 0, 0, 2021},
		{"E-Tech 140", "1.6 E-Tech", hybrid, 140, automatic, 6, 440, 2020, 4500, 0},
	}},
	{"Renault", "Zoe", hatchback, 5, 5, 2017, 2024, 31000, 2, []trim{
		{"R110 Z.E. 40", "Electric 41 kWh", electric, 108, automatic, 1, 1600, 0, -4000, 2019},
		{"R135 Z.E. 50", "Electric 52 kWh", electric, 135, automatic, 1, 1650, 2020, 0, 0},
	}},
	{"Volkswagen", "Passat", sedan, 5, 4, 2011, 2021, 34000, 6, []trim{
		{"Comfortline 1.6 TDI", "1.6 TDI", diesel, 120, manual, 6, 540, 0, -3500, 2019},
		{"Highline 2.0 TDI DSG", "2.0 TDI", diesel, 150, automatic, 7, 590, 2014, 2000, 0},
		{"GTE", "1.4 TSI PHEV", plugIn, 218, automatic, 6, 400, 2016, 6000, 0},
	}},
	{"Volkswagen", "Golf", hatchback, 5, 5, 2012, 0, 25500, 5, []trim{
		{"Comfortline 1.6 TDI", "1.6 TDI", diesel, 115, manual, 5, 510, 0, -1500, 2020},
		{"Life 1.0 TSI", "1.0 TSI", petrol, 110, manual, 6, 600, 2017, 0, 0},
		{"Highline 2.0 TDI DSG", "2.0 TDI", diesel, 150, automatic, 7, 560, 2014, 3500, 0},
	}},
	{"Ford", "Focus", estate, 5, 5, 2012, 2024, 22500, 5, []trim{
		{"Trend 1.6 TDCi", "1.6 TDCi", diesel, 115, manual, 6, 550, 0, -2500, 2018},
		{"Titanium 1.5 EcoBlue", "1.5 EcoBlue", diesel, 120, manual, 6, 520, 2018, 1000, 0},
		{"Connected EcoBoost", "1.0 EcoBoost", petrol, 125, manual, 6, 670, 2018, 0, 0},
	}},
	{"Ford", "Mondeo", sedan, 5, 5, 2014, 2022, 29500, 4, []trim{
		{"Titanium 2.0 TDCi", "2.0 TDCi", diesel, 150, manual, 6, 620, 0, 0, 0},
		{"Hybrid Titanium", "2.0 Hybrid", hybrid, 187, automatic, 0, 530, 0, 3000, 0},
	}},
	{"Opel", "Astra", hatchback, 5, 5, 2012, 0, 22800, 5, []trim{
		{"Enjoy 1.6 CDTI", "1.6 CDTI", diesel, 110, manual, 6, 520, 2015, 0, 2019},
		{"Cosmo 1.7 CDTI", "1.7 CDTI", diesel, 110, manual, 6, 570, 0, -3000, 2015},
		{"Elegance 1.2 Turbo", "1.2 Turbo", petrol, 130, manual, 6, 650, 2019, 500, 0},
	}},
	{"Opel", "Insignia", sedan, 5, 5, 2013, 2022, 29500, 3, []trim{
		{"Innovation 2.0 CDTI", "2.0 CDTI", diesel, 170, automatic, 8, 660, 0, 1500, 0},
		{"Edition 1.6 CDTI", "1.6 CDTI", diesel, 136, manual, 6, 560, 2015, 0, 0},
	}},
	{"Peugeot", "508", sedan, 5, 5, 2013, 0, 34500, 3, []trim{
		{"Active 1.6 BlueHDi", "1.6 BlueHDi", diesel, 120, manual, 6, 530, 0, -3500, 2018},
		{"Allure 1.5 BlueHDi EAT8", "1.5 BlueHDi", diesel, 130, automatic, 8, 540, 2018, 0, 0},
	}},
	{"Peugeot", "308", estate, 5, 5, 2014, 0, 25000, 3, []trim{
		{"Active 1.6 BlueHDi", "1.6 BlueHDi", diesel, 120, manual, 6, 500, 0, -1000, 2018},
		{"Allure 1.2 PureTech", "1.2 PureTech", petrol, 130, automatic, 8, 680, 2018, 1500, 0},
	}},
	{"Citroën", "C-Elysée", sedan, 5, 4, 2013, 2022, 14500, 3, []trim{
		{"Feel 1.6 BlueHDi", "1.6 BlueHDi", diesel, 100, manual, 5, 500, 0, 0, 0},
		{"Live 1.2 PureTech", "1.2 PureTech", petrol, 82, manual, 5, 640, 0, -1500, 0},
	}},
	{"Fiat", "Tipo", sedan, 5, 4, 2016, 0, 17000, 4, []trim{
		{"Lounge 1.3 MultiJet", "1.3 MultiJet", diesel, 95, manual, 5, 510, 0, 500, 2022},
		{"Pop 1.4", "1.4 16V", petrol, 95, manual, 6, 780, 0, -1000, 2020},
	}},
	{"Tesla", "Model 3", sedan, 5, 4, 2019, 0, 43000, 4, []trim{
		{"Standard Range Plus", "Electric RWD", electric, 283, automatic, 1, 1550, 0, 0, 2022},
		{"Long Range", "Electric AWD", electric, 440, automatic, 1, 1680, 0, 7000, 0},
	}},
	{"Kia", "Niro", suv, 5, 5, 2016, 0, 29500, 5, []trim{
		{"Hybrid Exclusive", "1.6 GDI Hybrid", hybrid, 141, automatic, 6, 470, 0, 0, 0},
		{"EV 64 kWh", "Electric 64 kWh", electric, 204, automatic, 1, 1620, 2019, 9000, 0},
	}},
	{"Kia", "Ceed", estate, 5, 5, 2018, 0, 23000, 3, []trim{
		{"SW 1.6 CRDi", "1.6 CRDi", diesel, 136, manual, 6, 530, 0, 1000, 0},
		{"SW 1.5 T-GDI", "1.5 T-GDI", petrol, 160, manual, 6, 700, 2021, 1500, 0},
	}},
	{"BYD", "Dolphin", hatchback, 5, 5, 2023, 0, 31000, 2, []trim{
		{"Comfort 60,4 kWh", "Electric 60 kWh", electric, 204, automatic, 1, 1590, 0, 0, 0},
	}},
	{"BYD", "Seal", sedan, 5, 4, 2023, 0, 46000, 1, []trim{
		{"Design RWD", "Electric 82 kWh", electric, 313, automatic, 1, 1660, 0, 0, 0},
	}},
	{"MG", "MG4", hatchback, 5, 5, 2022, 0, 30000, 2, []trim{
		{"Standard 51 kWh", "Electric 51 kWh", electric, 170, automatic, 1, 1700, 0, 0, 0},
		{"Comfort 64 kWh", "Electric 64 kWh", electric, 204, automatic, 1, 1660, 0, 3500, 0},
	}},
}

// byWeight names each car as often as it is advertised.
func byWeight() []int {
	var list []int
	for i, c := range cars {
		for range c.weight {
			list = append(list, i)
		}
	}
	return list
}

var colors = []string{
	"Alb", "Gri", "Negru", "Argintiu", "Albastru", "Gri închis", "Roșu", "Alb perlat", "Bej", "Maro", "Verde închis",
}

// standard is the emission standard of a car of that model year.
func standard(fuel string, year int) string {
	switch {
	case fuel == electric:
		return "Electric"
	case year < 2015:
		return "Euro 5"
	case year < 2019:
		return "Euro 6"
	case year < 2021:
		return "Euro 6d-TEMP"
	default:
		return "Euro 6d"
	}
}
